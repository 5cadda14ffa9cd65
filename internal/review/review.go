// Package review finds what the author of policies should look at before they decide: the problems that keep them from
// loading, and in policies that load the findings of the lint pack, of the configuration, of formatting, of tests and
// suites, and of Regal. It writes them as text, JSON and SARIF.
package review

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// Subject is what is reviewed.
type Subject struct {
	// Config is the configuration. nil stands for one with faults that may concern policies, which are then not read.
	Config *config.Config
	// Faults is the error of reading the configuration, or nil.
	Faults error
	// File is the configuration file; "" where there is none, and the defaults hold.
	File string
	// TestDirs hold tests and suites that are not beside the policies.
	TestDirs []string
	// Scope says how much of the configuration is tried.
	Scope Scope
	// Regal is the program that is asked too, or "".
	Regal string
}

// Scope says how much of a configuration is tried.
type Scope uint8

// The scopes.
const (
	// Policies are loaded, and nothing else.
	Policies Scope = iota
	// Everything that serving would build is built.
	Everything
)

// Report is what was found.
type Report struct {
	// Findings are those of the configuration, then those of files by path and position.
	Findings []lint.Finding
	// Silenced are the findings that authors silence in the policies, with their reasons.
	Silenced []lint.Silenced
	// Unloadable is true when policies with a sound configuration do not load.
	Unloadable bool
	// Issuers are those that were asked; empty unless they were.
	Issuers []Issuer
	Summary Summary
}

// Run reviews s. The error is that of ctx.
func Run(ctx context.Context, s Subject) (Report, error) {
	r := Report{Findings: faultsOf(s)}
	var found []lint.Finding
	if s.Config != nil {
		set, policy, err := s.load(ctx)
		if ctx.Err() != nil {
			return Report{}, context.Cause(ctx)
		}
		plain, problems := errorsOf(err)
		for _, message := range plain {
			r.Findings = append(r.Findings, s.configuration(lint.Error, message))
		}
		found = asErrors(s.remedied(problems))
		r.Unloadable = len(problems) > 0 && s.Faults == nil
		if err == nil {
			more, silenced := s.policies(ctx, set, policy)
			found = append(found, more...)
			r.Silenced = silenced
			r.Summary = summaryOf(set, policy, s.Config)
			r.Summary.Loads = s.Faults == nil
		}
		tests := s.tests(ctx, policy)
		found = append(found, tests.found...)
		r.Summary.Tests, r.Summary.Cases = tests.rego, tests.cases
	}
	r.Findings = append(r.Findings, sorted(found)...)
	r.Summary.count(r.Findings, r.Silenced)
	return r, context.Cause(ctx)
}

// remedied adds the remedy where there is neither a configuration nor its default directory, and the file where the
// configuration is at fault.
func (s Subject) remedied(problems bundle.Problems) bundle.Problems {
	for i := range problems {
		if problems[i].File == noFile && s.File != "" {
			problems[i].File = s.File
		}
	}
	usual := config.Default().Policies.Paths
	if s.File == "" && len(problems) == 1 && problems[0].Code == bundle.CodeDirectory &&
		slices.Equal(s.Config.Policies.Paths, usual) {
		problems[0].Message += "; sidecar init writes a configuration and a first policy, and sidecar check PATH " +
			"looks elsewhere"
	}
	return problems
}

// load loads the policies, and whatever else the scope wants.
func (s Subject) load(ctx context.Context) (*bundle.Set, *engine.Policy, error) {
	if s.Scope == Everything && s.Faults == nil && len(s.Config.Issuers) > 0 {
		return app.Check(ctx, s.Config)
	}
	return app.Load(ctx, s.Config)
}

// policies are the findings in policies that load.
func (s Subject) policies(
	ctx context.Context, set *bundle.Set, policy *engine.Policy,
) (found []lint.Finding, silenced []lint.Silenced) {
	found = append(s.warnings(), leveled(lint.Note, set.Ignored)...)
	found = append(found, leveled(lint.Warning, policy.Warnings())...)
	found = append(found, s.closedRoutes(set)...)
	found = append(found, s.doubtfulRoutes(set)...)
	all, readable := s.withTests(set)
	found = append(found, unformatted(all)...)
	linted, err := app.Lint(ctx, s.Config, readable)
	if err != nil {
		found = append(found, s.configuration(lint.Warning, "the lint rules did not end: "+err.Error()))
	}
	found = append(found, linted.Findings...)
	found = append(found, s.regal(ctx)...)
	return found, linted.Silenced
}

// withTests is set with the tests beside its modules. readable is set itself where a test does not parse.
func (s Subject) withTests(set *bundle.Set) (all, readable *bundle.Set) {
	all, err := dir.LoadWithTests(s.Config.Policies.Config)
	if err != nil {
		return set, set // the directories have changed since
	}
	if _, _, whole := rego.ParseReadable(all, s.Config.EngineConfig().Rego(), rego.WithTests); !whole {
		return all, set
	}
	return all, all
}

// errorsOf takes an error apart: the problems of policies in it, and the messages of all others.
func errorsOf(err error) (plain []string, problems bundle.Problems) {
	if err == nil {
		return nil, nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			p, q := errorsOf(one)
			plain, problems = append(plain, p...), append(problems, q...)
		}
		return plain, problems
	}
	if ps, ok := errors.AsType[bundle.Problems](err); ok {
		return nil, ps
	}
	return []string{err.Error()}, nil
}

func asErrors(problems bundle.Problems) []lint.Finding { return leveled(lint.Error, problems) }

func leveled(level lint.Level, problems bundle.Problems) []lint.Finding {
	var out []lint.Finding
	for _, p := range problems {
		out = append(out, lint.Finding{Problem: p, Level: level})
	}
	return out
}

// sorted returns findings by file and position, each once.
func sorted(found []lint.Finding) []lint.Finding {
	slices.SortFunc(found, func(a, b lint.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(found)
}
