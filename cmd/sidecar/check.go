package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

func checkCommand(std streams) *cobra.Command {
	var file, entrypoint string
	var online bool
	var limit threshold
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Load configuration and policies exactly as serve does, and serve nothing",
		Long: `Load configuration and policies exactly as serve does, and serve nothing.

With paths, and no --config, only the policies there are checked: directories of Rego and data, or bundle folders with
a .manifest. All problems are printed at once, as file:row:col: code: message.

With --online the authorization servers of the configuration are asked too: whether they are reached, by the name they
give themselves, accept the sidecar's credentials, have keys, and agree about the time. The last line counts what was
found; with --strict a doubt fails the check as a fault does.`,
		Example: "  sidecar check policies bundles/example\n  sidecar check --config sidecar.yaml --online",
		RunE: func(cmd *cobra.Command, paths []string) error {
			cfg, err := checkedConfig(cmd, file, paths)
			if err != nil {
				return checked(std, errors.Join(err, policyProblems(cmd.Context(), file, entrypoint)))
			}
			if entrypoint != "" {
				cfg.Decision.Entrypoint = entrypoint
			}
			for _, problem := range dir.Ignored(cfg.Policies) {
				fmt.Fprintf(std.err, "sidecar: note: %s\n", problem)
			}
			var policy *engine.Policy
			if len(cfg.Issuers) > 0 {
				policy, err = app.Check(cmd.Context(), cfg)
			} else {
				_, policy, err = app.Load(cmd.Context(), cfg)
			}
			if err == nil {
				warnAbout(cfg, policy, std)
				if online {
					return checkedOnline(cmd.Context(), cfg, limit, std)
				}
			}
			return checked(std, err)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&entrypoint, "entrypoint", "", "rule that must exist (default that of the configuration)")
	cmd.Flags().BoolVar(&online, "online", false, "ask the authorization servers too")
	limit.flag(cmd)
	return cmd
}

// policyProblems is what is wrong with the policies of a configuration that has faults elsewhere.
func policyProblems(ctx context.Context, file, entrypoint string) error {
	cfg := config.LoadPartly(file, os.Environ())
	if cfg == nil {
		return nil
	}
	if entrypoint != "" {
		cfg.Decision.Entrypoint = entrypoint
	}
	_, _, err := app.Load(ctx, cfg)
	return err
}

// checkedOnline examines every issuer, all at once.
func checkedOnline(ctx context.Context, cfg *config.Config, limit threshold, std streams) error {
	if len(cfg.Issuers) == 0 {
		err := errors.New("no authorization server is configured")
		return &failure{err: err, hint: "name a configuration with --config", exit: exitUsage}
	}
	findings, errs := make([][]doctor.Finding, len(cfg.Issuers)), make([]error, len(cfg.Issuers))
	var asking sync.WaitGroup
	for i, issuer := range cfg.Issuers {
		asking.Go(func() { findings[i], errs[i] = doctor.Examine(ctx, issuer) })
	}
	asking.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, issuer := range cfg.Issuers {
		fmt.Fprintf(std.out, "issuer %s:\n", issuer.Endpoint.Name)
		printFindings(std.out, findings[i])
	}
	return limit.apply(std.out, slices.Concat(findings...), "tokens will not be accepted with this configuration")
}

// warnAbout prints the warnings about a configuration and policies that load.
func warnAbout(cfg *config.Config, policy *engine.Policy, std streams) {
	warn := func(key, cause, hint string) {
		fmt.Fprintf(std.err, "sidecar: warning: %s %s\nsidecar: hint: %s\n", key, cause, hint)
	}
	cfg.Warn(warn)
	policy.Warn(warn)
}

// checkedConfig is the configuration to check: a file, or the defaults with the paths in place of theirs.
func checkedConfig(cmd *cobra.Command, file string, paths []string) (*config.Config, error) {
	cfg := config.Default()
	if len(paths) == 0 || cmd.Flags().Changed("config") {
		var err error
		if cfg, err = config.Load(file, os.Environ()); err != nil {
			return nil, err
		}
	}
	if len(paths) > 0 {
		setPaths(cfg, paths)
	}
	return cfg, nil
}

// checked prints the outcome. Problems are the result of the command, so that they go to standard output.
func checked(std streams, err error) error {
	if err == nil {
		fmt.Fprintln(std.err, "sidecar: no problems found")
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	exit := exitFailed
	if _, faults := errors.AsType[config.Faults](err); !faults {
		if _, ok := errors.AsType[bundle.Problems](err); ok {
			exit = exitNotCompile
		}
	}
	fmt.Fprintln(std.out, strings.TrimRight(err.Error(), "\n"))
	return &failure{err: err, exit: exit, quiet: true}
}
