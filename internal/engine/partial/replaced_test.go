package partial

import (
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

const replacing = `package authz

# METADATA
# entrypoint: true
decision := {"allow": allowed}

default allowed := false

allowed if named with input.token.client_id as input.token.username with upper as same

named if upper(input.token.client_id) == "A"

same(x) := x
`

// TestPartialEvaluationLeavesWithAsItIsWritten: all evaluations share the expressions, and OPA writes to them.
func TestPartialEvaluationLeavesWithAsItIsWritten(t *testing.T) {
	t.Parallel()
	set, err := bundle.Build(bundle.Contents{Sources: []bundle.Source{{Name: "policies", Files: []bundle.SourceFile{
		{File: bundle.File{Path: "policies/p.rego", Raw: []byte(replacing)}, Kind: bundle.Module}}}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(set, Config{Entrypoint: "authz/decision", Now: time.Unix(1700000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	var together sync.WaitGroup
	for range 4 {
		together.Go(func() {
			if _, err := p.Evaluate(t.Context(), Request{Known: []byte(`{"version": 1, "request": {"method": "GET"}}`),
				Unknown: [][]string{{"token"}}}); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	for _, c := range []*ast.Compiler{p.sliced, p.quick} {
		r := replacedIn(c)
		if r == nil {
			t.Fatal("no expression replaces a value")
		}
		for _, o := range r.original {
			if len(o.with) != 2 {
				t.Errorf("left is %s", o.expr)
			}
		}
	}
}
