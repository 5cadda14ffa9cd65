// Package engine turns bundles into one immutable compiled policy and evaluates it. It is OPA's border: no other package
// on the request path knows OPA's types.
package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// Policy is one compiled, immutable revision of everything policies say. It is safe for concurrent use.
type Policy struct {
	revision string
	digest   string
	// revisions is name -> revision of each bundle.
	revisions map[string]string
	deadline  time.Duration
	compiler  *ast.Compiler
	entries   map[string]*entry
	mask      *masker
}

// entry is one rule that may be asked.
type entry struct {
	path  string
	query rego.PreparedEvalQuery
	// fixed are the options that are the same for every evaluation within the snapshot.
	fixed []rego.EvalOption
}

// Question is what one evaluation needs.
type Question struct {
	// Entrypoint is a path without "data": "authz/decision".
	Entrypoint string
	Document   *input.Document
	// Time is what time.now_ns returns; Seed, the decision's id, is what rand and uuid derive from. The same
	// question has the same answer at any later time.
	Time time.Time
	Seed string
}

// Answer is what a policy said.
type Answer struct {
	Verdict *authz.Verdict
	// Result is the policy's own document, for the decision log.
	Result Result
}

// Revision names the revision in words the bundles chose, or the beginning of the digest when none did.
func (p *Policy) Revision() string { return p.revision }

// Digest is "sha256:<hex>" over everything that was compiled.
func (p *Policy) Digest() string { return p.digest }

// Revisions maps the name of each bundle to its revision. Nobody may change it.
func (p *Policy) Revisions() map[string]string { return p.revisions }

// Entrypoints lists the rules that may be asked, sorted.
func (p *Policy) Entrypoints() []string {
	out := make([]string, 0, len(p.entries))
	for path := range p.entries {
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

// Has reports whether path may be asked.
func (p *Policy) Has(path string) bool { return p.entries[path] != nil }

// Eval answers q. An error is of kind Misconfigured: the rule is undefined or ill-shaped, a builtin failed, or the
// evaluation took longer than its deadline. The Answer of an error still holds the Result, where there was one.
func (p *Policy) Eval(ctx context.Context, q Question) (Answer, error) {
	e := p.entries[q.Entrypoint]
	if e == nil {
		return Answer{}, authz.E(authz.Misconfigured, "evaluate %q: no such entrypoint", q.Entrypoint)
	}
	in, err := documentValue(q.Document)
	if err != nil {
		return Answer{}, err
	}
	// A memo of verdicts belongs here: in the entry, keyed by the values of in that the entry's rules can read.
	result, err := p.run(ctx, e, in, q)
	if err != nil {
		return Answer{}, err
	}
	verdict, err := verdictOf(result)
	if err != nil {
		return Answer{Result: Result{result}}, authz.E(authz.Misconfigured, "read the result of data.%s: %w", dotted(e.path), err)
	}
	return Answer{Verdict: verdict, Result: Result{result}}, nil
}

// run evaluates e over in and returns the result, which is never nil without an error.
func (p *Policy) run(ctx context.Context, e *entry, in ast.Value, q Question) (ast.Value, error) {
	cancel := topdown.NewCancel()
	alarm := time.AfterFunc(p.deadline, cancel.Cancel)
	defer alarm.Stop()

	var failed []topdown.Error
	options := make([]rego.EvalOption, 0, 12)
	options = append(options, e.fixed...)
	options = append(options,
		rego.EvalParsedInput(in),
		rego.EvalExternalCancel(cancel),
		rego.EvalTime(q.Time),
		rego.EvalSeed(&seed{id: q.Seed}),
		rego.EvalBuiltinErrorList(&failed),
	)
	rs, err := e.query.Eval(ctx, options...)
	switch {
	case topdown.IsCancel(err):
		return nil, authz.E(authz.Misconfigured, "evaluate data.%s: not done after %s, the deadline of one evaluation", dotted(e.path), p.deadline)
	case err != nil:
		return nil, authz.E(authz.Misconfigured, "evaluate data.%s: %w", dotted(e.path), err)
	case len(failed) > 0:
		// OPA would treat the expression as undefined, and a deny rule that is undefined allows.
		return nil, authz.E(authz.Misconfigured, "evaluate data.%s: %w", dotted(e.path), builtinFailure(failed[0]))
	case len(rs) == 0 || len(rs[0].Expressions) == 0:
		return nil, authz.E(authz.Misconfigured, "evaluate data.%s: undefined; give the rule a default", dotted(e.path))
	}
	value, ok := rs[0].Expressions[0].Value.(ast.Value)
	if !ok {
		return nil, authz.E(authz.Internal, "evaluate data.%s: result of type %T", dotted(e.path), rs[0].Expressions[0].Value)
	}
	return value, nil
}

func builtinFailure(e topdown.Error) error {
	if e.Location == nil {
		return fmt.Errorf("a builtin failed: %s: %s", e.Code, e.Message)
	}
	return fmt.Errorf("%s:%d:%d: a builtin failed: %s: %s", e.Location.File, e.Location.Row, e.Location.Col, e.Code, e.Message)
}

// keepTerm hands results over as they are, for verdictOf reads terms.
func keepTerm(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }
