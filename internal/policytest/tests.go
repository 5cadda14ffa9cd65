package policytest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Source says where tests and suites are.
type Source struct {
	// Config is the configuration that serves the policies. Tests may be beside these, too.
	Config *config.Config
	// Dirs hold tests and suites, and Rego and data that only tests use.
	Dirs []string
	// Files are single tests or suites. Where there are some, only theirs are run.
	Files []string
}

// Tests are all tests and suites of a Source, ready to run.
type Tests struct {
	cfg    *config.Config
	policy *engine.Policy
	rego   *regoTests
	suites []Suite
	only   map[string]bool // files; nil is all
	// policies are the files of the policies themselves.
	policies map[string]bool
}

// Load reads and compiles everything that src names, for policy, which was compiled from src.Config as it is for
// serving. A nil policy stands for one that does not compile: then nothing is returned but the problems of tests and
// suites that cannot follow from those of the policy. The error is bundle.Problems, with everything that is wrong.
func Load(ctx context.Context, src Source, policy *engine.Policy) (*Tests, error) {
	return load(ctx, src, nil, policy)
}

// LoadBeside is Load for policies that were read before and may not be what is on disk now: served, compiled as
// policy. Only tests, suites and what src.Dirs hold are read. No test reaches the network: one that asks it fails.
func LoadBeside(ctx context.Context, src Source, served *bundle.Set, policy *engine.Policy) (*Tests, error) {
	t, err := load(ctx, src, served, policy.Offline())
	if err == nil {
		t.rego.builtins = offline(src.Config.EngineConfig())
	}
	return t, err
}

func load(ctx context.Context, src Source, served *bundle.Set, policy *engine.Policy) (*Tests, error) {
	t := &Tests{cfg: src.Config, policy: policy, policies: map[string]bool{}}
	var problems bundle.Problems
	var err error
	if t.suites, err = src.suites(); err != nil {
		problems = append(problems, problemsIn(err)...)
	}
	set, err := dir.LoadWithTests(src.policies())
	if err == nil && served != nil {
		set = testsBeside(set, served)
	}
	switch {
	case err != nil:
		problems = append(problems, problemsIn(err)...)
	case policy == nil:
		problems = append(problems, parseProblems(set, src.Config.EngineConfig())...)
	default:
		if t.rego, err = compileRego(ctx, set, src.Config.EngineConfig()); err != nil {
			problems = append(problems, problemsIn(err)...)
		} else {
			problems = append(problems, t.rego.intrusions(set, src.Dirs)...)
		}
		t.policies = src.filesOfPolicies(set)
		t.only = src.onlyFiles(set)
	}
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	return t, nil
}

// testsBeside is set, with its tests, whose policies are those of served.
func testsBeside(set, served *bundle.Set) *bundle.Set {
	own := *set
	own.Bundles = slices.Clone(served.Bundles)
	for _, b := range set.Bundles {
		at := slices.IndexFunc(own.Bundles, func(s bundle.Bundle) bool { return s.Name == b.Name })
		if at >= 0 {
			own.Bundles[at].Tests = b.Tests
		} else {
			own.Bundles = append(own.Bundles, b)
		}
	}
	return &own
}

// problemsIn are the problems of an error, which may be one without a place.
func problemsIn(err error) bundle.Problems {
	if ps, ok := errors.AsType[bundle.Problems](err); ok {
		return ps
	}
	return bundle.Problems{{File: "policies", Code: bundle.CodeRead, Message: err.Error()}}
}

// Watched are the directories in which a change may change what a run says.
func (src Source) Watched() dir.Config { return src.with(src.Files) }

// policies are the directories to read for Rego tests.
func (src Source) policies() dir.Config {
	return src.with(slices.DeleteFunc(slices.Clone(src.Files), isSuite))
}

// with are the configured directories, those of tests, and those of single files.
func (src Source) with(files []string) dir.Config {
	cfg := src.Config.Policies.Config
	cfg.Paths = slices.Clone(cfg.Paths)
	dirs := slices.Clone(src.Dirs)
	for _, f := range files {
		dirs = append(dirs, filepath.Dir(f))
	}
	for _, d := range dirs {
		if !within(slices.Concat(cfg.Paths, cfg.Bundles), d) {
			cfg.Paths = append(cfg.Paths, d)
		}
	}
	return cfg
}

// within reports whether a directory is one of dirs, or below one.
func within(dirs []string, d string) bool {
	at, err := filepath.Abs(d)
	return err == nil && slices.ContainsFunc(dirs, func(above string) bool {
		top, err := filepath.Abs(above)
		if err != nil {
			return false
		}
		rel, err := filepath.Rel(top, at)
		return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
	})
}

// suites reads the suites. A directory that is missing is a problem of the policies.
func (src Source) suites() ([]Suite, error) {
	reader := suiteFiles{cfg: src.Config}
	if len(src.Files) == 0 {
		for _, d := range slices.Concat(src.Config.Policies.Paths, src.Config.Policies.Bundles, src.Dirs) {
			if _, err := os.Stat(d); err == nil {
				reader.dir(d)
			}
		}
		for _, h := range src.Config.Policies.Held() {
			reader.within(h.Archive)
		}
	}
	for _, f := range src.Files {
		if isSuite(f) {
			reader.file(f)
		}
	}
	return reader.result()
}

// onlyFiles are the single files of tests, as the set names them; nil when all files are meant.
func (src Source) onlyFiles(set *bundle.Set) map[string]bool {
	if len(src.Files) == 0 {
		return nil
	}
	only := map[string]bool{}
	for path := range testFiles(set) {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		for _, f := range src.Files {
			if same, err := os.Stat(f); err == nil && os.SameFile(info, same) {
				only[path] = true
			}
		}
	}
	return only
}

// filesOfPolicies are the modules that serve, without those that only tests use and those that the sidecar brings.
func (src Source) filesOfPolicies(set *bundle.Set) map[string]bool {
	served := map[string]bool{}
	for _, d := range slices.Concat(src.Config.Policies.Paths, src.Config.Policies.Bundles) {
		served[filepath.ToSlash(filepath.Clean(d))] = true
	}
	for _, h := range src.Config.Policies.Held() {
		served[h.Name] = true
	}
	files := map[string]bool{}
	for _, b := range set.Bundles {
		if !served[b.Name] {
			continue
		}
		for _, f := range b.Modules {
			files[f.Path] = true
		}
	}
	return files
}

// selection says which tests run.
type selection struct {
	files map[string]bool // nil is all
	run   *regexp.Regexp  // on "group/name"; nil is all
}

func (s selection) takes(file, group, name string) bool {
	return (s.files == nil || s.files[file]) && (s.run == nil || s.run.MatchString(group+"/"+name))
}

func (s selection) all() bool { return s.files == nil && s.run == nil }

// HoldsPolicies reports whether a directory holds Rego or data, and not only tests and suites. Hidden directories do
// not count. One whose name ends in _test holds none: its Rego and data are for tests.
func HoldsPolicies(dir string) bool {
	if strings.HasSuffix(filepath.Clean(dir), "_test") {
		return false
	}
	found := errors.New("found")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // loading says why
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		switch kind, _, _ := bundle.Classify(d.Name()); kind {
		case bundle.Module, bundle.DataJSON, bundle.DataYAML:
			return found
		}
		return nil
	})
	return errors.Is(err, found)
}

// parseProblems are the problems of grammar in tests.
func parseProblems(set *bundle.Set, cfg engine.Config) bundle.Problems {
	_, problems := rego.Parse(set, cfg.Rego(), rego.WithTests)
	files := testFiles(set)
	return slices.DeleteFunc(problems, func(p bundle.Problem) bool { return !files[p.File] })
}

// IsTestFile reports whether a name is that of Rego tests or of a suite.
func IsTestFile(name string) bool { return strings.HasSuffix(name, "_test.rego") || isSuite(name) }
