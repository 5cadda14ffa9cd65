package stage

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/policytest"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// The classes of findings of the gate of tests.
const (
	ClassTestFailed = "test_failed"
	ClassNoTests    = "no_tests"
	ClassCoverage   = "coverage"
)

// mostFailures is how many failed tests are told one by one.
const mostFailures = 10

// tests is the gate of the tests beside the policies, in bundles, and of the operator's own.
func tests(cfg *config.Config, g gate.Tests) Stage {
	src := policytest.Source{Config: cfg, Dirs: g.Paths}
	return Stage{
		Name: gate.TestsName, Mode: g.Mode,
		Basis: func() string { return fingerprint(cfg, g.Paths) },
		Judge: func(ctx context.Context, _, next Policies) (Judgement, error) {
			loaded, err := policytest.LoadBeside(ctx, src, next.Set, next.Policy)
			if err != nil {
				return Judgement{Message: "the tests do not load"}, err
			}
			report, err := loaded.Run(ctx, policytest.Options{Coverage: g.MinCoverage > 0})
			if err != nil {
				return Judgement{}, err
			}
			return judgeTests(report, g.MinCoverage), nil
		},
	}
}

func judgeTests(report policytest.Report, least float64) Judgement {
	var j Judgement
	count := map[policytest.Outcome]int{}
	for _, r := range report.Results {
		if count[r.Outcome]++; r.Outcome != policytest.Failed {
			continue
		}
		if count[r.Outcome] <= mostFailures {
			j.add(status.GateFinding{Class: ClassTestFailed, File: r.File, Row: r.Row,
				Message: fmt.Sprintf("test %s of %s fails%s", r.Name, r.Group, firstLine(r.Output))})
		}
	}
	failed, ran := count[policytest.Failed], count[policytest.Failed]+count[policytest.Passed]
	if left := failed - mostFailures; left > 0 {
		j.add(status.GateFinding{Class: ClassTestFailed, Message: fmt.Sprintf("%d further tests fail", left)})
	}
	if ran == 0 {
		j.add(
			status.GateFinding{Class: ClassNoTests, Message: "there are no tests: put some beside the policies, or " +
				"name a directory of them under policies.gate.tests.paths"})
	}
	j.Message = fmt.Sprintf("%d of %d tests pass", ran-failed, ran)
	switch c := report.Coverage; {
	case c == nil:
	case c.Lines == 0:
		j.add(status.GateFinding{Class: ClassCoverage,
			Message: "no line of the policies was measured, and policies.gate.tests.min_coverage asks for a part of them"})
	default:
		j.Message += fmt.Sprintf(", and evaluate %.1f %% of the policies", c.Percent())
		if c.Percent() < least {
			j.add(status.GateFinding{Class: ClassCoverage,
				Message: fmt.Sprintf("the tests evaluate %.1f %% of the policies, and at least %v %% are asked for "+
					"(policies.gate.tests.min_coverage)", c.Percent(), least)})
		}
	}
	return j
}

func firstLine(output []string) string {
	if len(output) == 0 {
		return ""
	}
	line, _, _ := strings.Cut(output[0], "\n")
	return ": " + line
}

// fingerprint changes when a file of tests does, by its size or time, and when an archive that may hold tests does.
func fingerprint(cfg *config.Config, own []string) string {
	h := sha256.New()
	all := slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles)
	look := func(dirs []string, counts func(name string) bool) {
		for _, dir := range dirs {
			_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() || !counts(d.Name()) {
					return nil // what cannot be read has no say in whether tests changed
				}
				if info, err := d.Info(); err == nil {
					fmt.Fprintf(h, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
				}
				return nil
			})
		}
	}
	for _, held := range cfg.Policies.Held() {
		fmt.Fprintf(h, "%q %s\n", held.Name, held.Digest)
	}
	look(all, policytest.IsTestFile)
	look(own, func(string) bool { return true })
	return fmt.Sprintf("%x", h.Sum(nil))
}
