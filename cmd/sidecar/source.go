package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
)

// source is where a command that serves nothing takes configuration and policies from: the flags --config, --policies
// and --entrypoint, which mean the same for each such command.
type source struct {
	// file is the configuration file; "" is sidecar.yaml where it exists, and else the defaults.
	file string
	// paths are policy directories and bundle folders in place of the configured ones.
	paths      []string
	entrypoint string
	// offline is set by commands that do not look into policies.sources.
	offline bool
}

// defaultFile is the configuration file that commands look for.
const defaultFile = "sidecar.yaml"

func (s *source) flags(cmd *cobra.Command) {
	s.configFlag(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&s.paths, "policies", nil,
		"policy directories, bundle folders and archives, `DIR,...`, instead of the configured ones")
	f.StringVar(&s.entrypoint, "entrypoint", "",
		"`RULE` to ask, annotated as an entrypoint or not (default that of the configuration)")
}

// configFlag adds --config alone, for commands whose arguments name policies.
func (s *source) configFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.file, "config", "c", os.Getenv(config.FileVariable),
		"configuration `FILE`, also named by "+config.FileVariable+
			" (default sidecar.yaml where it exists, else the defaults)")
}

// load returns the configuration. Faults that no decision depends on are warnings, which go to warn: where policies
// are looked at there are often no secrets, and no ports. Nothing to read at all is an error.
func (s *source) load(warn io.Writer) (*config.Config, error) {
	if err := s.somethingHere(); err != nil {
		return nil, err
	}
	return s.configured(warn)
}

// configured is load, and gives the defaults where there is nothing.
func (s *source) configured(warn io.Writer) (*config.Config, error) {
	cfg, err := s.decisive(warn)
	if err != nil || s.offline {
		return cfg, err
	}
	return cfg, app.Resolve(context.Background(), cfg)
}

// decisive is configured before anything is downloaded.
func (s *source) decisive(warn io.Writer) (*config.Config, error) {
	cfg, err := s.strict()
	faults, ok := errors.AsType[config.Faults](err)
	if !ok || slices.ContainsFunc(faults, concernsDecisions) {
		return cfg, err
	}
	partly := s.partly()
	if partly == nil {
		return nil, err
	}
	for _, f := range faults {
		fmt.Fprintf(warn, "sidecar: warning: %s; sidecar serve would refuse that\n", f)
	}
	return partly, nil
}

// onlyServing matches the keys of the configuration that no decision of a command depends on.
var onlyServing = regexp.MustCompile(
	`^(listen|decision_log|telemetry|events\[\d+\]|issuers\[\d+\]\.(client|ca_file|canary))(\.|\[|$)`)

// only is the configuration for a command that needs some of its keys, and the defaults where there is none.
func (s *source) only(needed *regexp.Regexp) (*config.Config, error) {
	file := s.found()
	if file == "" {
		return config.Default(), nil
	}
	return config.LoadOnly(file, os.Environ(), needed.MatchString)
}

func concernsDecisions(f config.Fault) bool { return !onlyServing.MatchString(f.Key) }

// strict returns the configuration, or all its faults. Where policies are named, faults that do not concern policies
// are none.
func (s *source) strict() (*config.Config, error) {
	cfg, err := s.read()
	if err != nil {
		return nil, err
	}
	return s.applied(cfg), nil
}

// somethingHere is an error when neither a flag nor the working directory says where policies are, or a path is empty,
// as a variable of a script is that was not set: it would stand for the working directory.
func (s *source) somethingHere() error {
	if slices.Contains(s.paths, "") {
		return &failure{err: errors.New("a path is empty"),
			hint: "name a directory; . is the working directory, and without a path the configuration says which", exit: exitUsage}
	}
	if s.found() != "" || len(s.paths) > 0 {
		return nil
	}
	if len(pathsIn(".")) > 0 {
		return nil
	}
	return &failure{
		err: errors.New("find policies: the working directory has neither sidecar.yaml nor a folder policies"),
		hint: "name a configuration or policies, or write some: sidecar init, or an example: sidecar dev --write " +
			"DIRECTORY",
		exit: exitFailed,
	}
}

// partly is the configuration that strict refuses, for problems of its policies alone; nil when a fault may concern
// them.
func (s *source) partly() *config.Config {
	cfg := config.LoadPartly(s.found(), os.Environ())
	if cfg == nil {
		return nil
	}
	return s.applied(cfg)
}

// applied is cfg with what the flags say in its place. Without a configuration the policies are those that dev serves.
func (s *source) applied(cfg *config.Config) *config.Config {
	if len(s.paths) > 0 {
		setPaths(cfg, s.paths)
	} else if here := pathsIn("."); s.found() == "" && len(here) > 0 {
		setPaths(cfg, here)
	}
	if s.entrypoint != "" {
		cfg.Decision.Entrypoint = strings.Trim(s.entrypoint, "/")
		if ref, ok := strings.CutPrefix(s.entrypoint, "data."); ok {
			cfg.Decision.Entrypoint = strings.ReplaceAll(ref, ".", "/")
		}
	}
	return cfg
}

// found is the configuration file that is read; "" where there is none.
func (s *source) found() string {
	if s.file != "" {
		return s.file
	}
	if _, err := os.Stat(defaultFile); err != nil {
		return ""
	}
	return defaultFile
}

func (s *source) read() (*config.Config, error) {
	file := s.found()
	if file == "" {
		return config.Default(), nil
	}
	cfg, err := config.Load(file, os.Environ())
	if err != nil && s.file == "" && len(s.paths) > 0 {
		if partly := config.LoadPartly(file, os.Environ()); partly != nil {
			return partly, nil
		}
	}
	return cfg, err
}

// pathsIn are the policy directory and the bundle folder of a directory that has no configuration: policies, and
// bundles/example where it exists. There are none without policies.
func pathsIn(at string) []string {
	paths := []string{filepath.Join(at, "policies")}
	if _, err := os.Stat(paths[0]); err != nil {
		return nil
	}
	example := filepath.Join(at, "bundles", "example")
	if _, err := os.Stat(filepath.Join(example, bundle.ManifestName)); err == nil {
		paths = append(paths, example)
	}
	return paths
}

// besideConfiguration is where tests are found without being named.
const besideConfiguration = "policy_test"

// testsBeside is the directory of tests beside the configuration file; none where there is none.
func (s *source) testsBeside() []string {
	beside := filepath.Join(filepath.Dir(s.file), besideConfiguration)
	if info, err := os.Stat(beside); err == nil && info.IsDir() {
		return []string{beside}
	}
	return nil
}

// setPaths makes cfg read the policies at paths: archives, and folders with a manifest, as bundles.
func setPaths(cfg *config.Config, paths []string) {
	cfg.Policies.Paths, cfg.Policies.Bundles, cfg.Policies.Sources = nil, nil, nil
	for _, p := range paths {
		if _, err := os.Stat(filepath.Join(p, bundle.ManifestName)); err == nil || dir.IsArchive(p) {
			cfg.Policies.Bundles = append(cfg.Policies.Bundles, p)
		} else {
			cfg.Policies.Paths = append(cfg.Policies.Paths, p)
		}
	}
}
