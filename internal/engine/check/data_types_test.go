package check

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// TestTheTypeOfLostDataIsUnknown: beside data that cannot be read, those that can be are not all there are.
func TestTheTypeOfLostDataIsUnknown(t *testing.T) {
	p := New(rego.NewCompiler(rego.Options{}, nil))
	ref := ast.MustParseRef("data.limits.days[_]")
	data := dataOf(&bundle.Set{Bundles: []bundle.Bundle{{Data: []bundle.DataFile{
		bundle.NewDataFile("data.json", []string{"limits"}, map[string]any{"days": []any{"monday"}})}}}})
	for _, unknown := range [][]ast.Ref{nil, {ast.MustParseRef("data.limits")}} {
		p.tree = &dataTree{program: p, data: data, unknown: unknown}
		if got := p.typeOfRef(ref); (got == nil) != (unknown != nil) {
			t.Errorf("with %v unknown: %v", unknown, got)
		}
	}
}
