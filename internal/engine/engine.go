// Package engine compiles bundles into one immutable policy and evaluates it. Only engine and its sub-packages use
// OPA's types on the request path.
package engine

import (
	"context"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// Policy is one compiled, immutable revision of all policies. It is safe for concurrent use.
type Policy struct {
	revision string
	digest   string
	// revisions are by the name of the bundle.
	revisions map[string]string
	bundles   map[string]authz.BundleRef
	// identified is the JSON of those bundles that have a content digest.
	identified []byte
	entries    map[string]*preparedRule
	view       *document.View
	mask       *masker
	callers    *callers // nil when callers bring no input of their own
	// compiler is that of entries, and filters what filters are compiled from: nil where none can be asked for.
	compiler *ast.Compiler
	store    *rego.Store
	filters  func() (*filters, error)
	warnings bundle.Problems
	modules  []bundle.File
	// print is Config.Print; printsErased counts the calls that were taken out because it is nil.
	print        func(decisionID string, p Print)
	printsErased int
	// memory is what the policy remembers of its verdicts; nil remembers nothing.
	memory *memory
}

// Question is the input of one evaluation.
type Question struct {
	// Entrypoint is a path without "data": "authz/decision".
	Entrypoint string
	Document   *input.Document
	// Time is what time.now_ns returns; Seed, the decision's id, is what rand and uuid derive from. The same
	// question has the same answer at any later time.
	Time time.Time
	Seed string
}

// Settle lets go of terms of large data that are made of the text when the policies read them. It is for a policy that
// decides; bundle.Set.Settle is to follow.
func (p *Policy) Settle() { p.store.Settle() }

// Revision is the revisions that the bundles state, or the beginning of the digest when they state none.
func (p *Policy) Revision() string { return p.revision }

// Digest is "sha256:<hex>" over all files of the policy.
func (p *Policy) Digest() string { return p.digest }

// Revisions maps the name of each bundle to its revision. It is read-only.
func (p *Policy) Revisions() map[string]string { return p.revisions }

// Modules are the sources of all modules, in the order of their bundles. They are read-only.
func (p *Policy) Modules() []bundle.File { return p.modules }

// Bundles maps the name of each bundle to what tells it apart. It is read-only, and one map for each policy.
func (p *Policy) Bundles() map[string]authz.BundleRef { return p.bundles }

// Ref says by which policy an entrypoint decided.
func (p *Policy) Ref(entrypoint string) authz.PolicyRef {
	return authz.PolicyRef{Path: entrypoint, Revision: p.revision, Digest: p.digest, Bundles: p.identified}
}

// Entrypoints lists the paths that callers may ask for, sorted.
func (p *Policy) Entrypoints() []string {
	out := make([]string, 0, len(p.entries))
	for path := range p.entries {
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

// Has reports whether callers may ask for path.
func (p *Policy) Has(path string) bool { return p.entries[path] != nil }

// Freshness is what the metadata of an entrypoint asks of the facts about a token.
func (p *Policy) Freshness(entrypoint string) authz.Freshness {
	if e := p.entries[entrypoint]; e != nil {
		return e.freshness
	}
	return authz.Freshness{}
}

// MayReachNetwork reports whether an evaluation of an entrypoint may call other servers.
func (p *Policy) MayReachNetwork(entrypoint string) bool {
	e := p.entries[entrypoint]
	return e != nil && e.network == networkAllowed
}

// Eval evaluates the entrypoint of q. An error is of kind Misconfigured: the rule is undefined, a builtin failed, or
// the evaluation took longer than its deadline. It is of kind Malformed when the document of the caller cannot be
// read.
func (p *Policy) Eval(ctx context.Context, q Question) (Result, error) {
	e, err := p.asked(q)
	if err != nil {
		return Result{}, err
	}
	return p.memory.eval(ctx, p, e, q)
}

// asked returns the rule that q asks for. An error says why it is not evaluated for such a question.
func (p *Policy) asked(q Question) (*preparedRule, error) {
	e := p.entries[q.Entrypoint]
	if e == nil {
		return nil, authz.Errorf(authz.Misconfigured, "evaluate %q: no such entrypoint", q.Entrypoint)
	}
	if e.needsRequest && !q.Document.HasRequest() {
		return e, authz.Errorf(authz.Misconfigured,
			"evaluate data.%s: it reads input.request, and the question is about no HTTP request: have authzen.entrypoint "+
				"name a rule that reads input.subject, input.action and input.resource", rego.Dotted(e.path))
	}
	return e, nil
}

// evalAnew evaluates e and remembers nothing. notes, which may be nil, are told of calls whose results may vary.
func (p *Policy) evalAnew(ctx context.Context, e *preparedRule, q Question, notes *builtins.Notes) (Result, error) {
	in, err := p.view.Value(q.Document)
	if err != nil {
		return Result{}, err
	}
	how := evalOptions{time: q.Time, seed: q.Seed, print: p.printHook(q.Seed, notes), document: q.Document}
	if notes != nil {
		how.cancel = notes
	}
	value, kept, err := e.evalKept(ctx, in, how)
	switch {
	case err != nil:
		return Result{}, authz.Errorf(authz.Misconfigured, "%w", err)
	case value == nil:
		return Result{}, authz.Errorf(authz.Misconfigured, "evaluate data.%s: %w", rego.Dotted(e.path), errUndefined)
	}
	return kept.result(Result{value: value, path: e.path}), nil
}

// Warnings are what does not stop a load and should be looked at, by file and position: data that no rule reads, and
// members of the input that nothing sets. They are read-only.
func (p *Policy) Warnings() bundle.Problems { return p.warnings }
