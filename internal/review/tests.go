package review

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/lint"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// codeTests is the code of the problem that tests do not compile in time.
const codeTests = "compile_timeout"

// tested is what there is of tests.
type tested struct {
	found       []lint.Finding
	rego, cases int
}

// tests loads the Rego tests and suites, which serving does not read. policy is nil where the policies do not load.
// The compiler cannot be stopped, and is left alone when it takes longer than is configured, or ctx ends.
func (s Subject) tests(ctx context.Context, policy *engine.Policy) tested {
	ctx, cancel := context.WithTimeout(ctx, s.Config.Engine.CompileTimeout)
	defer cancel()
	loaded := make(chan tested, 1)
	go func() {
		tests, err := policytest.Load(ctx, policytest.Source{Config: s.Config, Dirs: s.TestDirs}, policy)
		_, problems := errorsOf(err)
		t := tested{found: asErrors(problems)}
		if err == nil && policy != nil {
			t.rego, t.cases = tests.Counts()
			t.found = leveled(lint.Warning, tests.Doubts())
		}
		loaded <- t
	}()
	select {
	case t := <-loaded:
		return t
	case <-ctx.Done():
		return tested{found: asErrors(bundle.Problems{{File: "tests", Code: codeTests,
			Message: "the tests are not compiled in time (engine.compile_timeout)"}})}
	}
}
