package engine

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestABaseCacheHasWhatIsAtAndBelowAReference(t *testing.T) {
	c := &baseCache{}
	below := ast.MustParseTerm(`{"a": 1, "list": [true]}`).Value
	c.Put(ast.MustParseRef("data.p.a.early"), ast.Boolean(true))
	c.Put(ast.MustParseRef("data.p.a"), ast.MustParseTerm(`{"a": {"a": 1, "list": [true]}}`).Value)
	c.Put(ast.MustParseRef("data.p.b"), ast.Boolean(true))
	for ref, want := range map[string]ast.Value{"data.p.a.a": below, "data.p.a.a.a": ast.Number("1"),
		"data.p.a.a.list[0]": ast.Boolean(true),
		"data.p.b":           ast.Boolean(true), "data.p.a.early": nil, "data.p.a.a.none": nil, "data.p": nil,
		"data.a": nil} {
		got := c.Get(ast.MustParseRef(ref))
		if (got == nil) != (want == nil) || got != nil && got.Compare(want) != 0 {
			t.Errorf("%s: %v, want %v", ref, got, want)
		}
	}
	if got := c.Get(ast.MustParseRef("data.p.a")); got == nil || got.Compare(below) == 0 {
		t.Errorf("data.p.a: %v", got)
	}
}

func TestABaseCacheIsBounded(t *testing.T) {
	c := &baseCache{}
	for i := range 10 * maxBaseNodes {
		ref := ast.MustParseRef("data.p").Append(ast.IntNumberTerm(i))
		c.Put(ref, ast.Boolean(true))
		n := len(c.root.children[ref[0].Value].children[ref[1].Value].children)
		if c.Get(ref) == nil || n > maxBaseNodes {
			t.Fatalf("%v: %v of %d nodes", ref, c.Get(ref), n)
		}
	}
}
