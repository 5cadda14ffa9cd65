package rego

import (
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestRulesOfPackageSystemAreDependencies(t *testing.T) {
	c := ast.NewCompiler()
	c.Compile(map[string]*ast.Module{
		"p.rego": ast.MustParseModule("package p\n\nany := data[input.n].lib\n\none := data[input.n].lib.y"),
		"s.rego": ast.MustParseModule("package system.lib\n\nx := y\n\ny := 1"),
		"o.rego": ast.MustParseModule("package system.other\n\nx := 1"),
	})
	if c.Failed() {
		t.Fatal(c.Errors)
	}
	for path, want := range map[string]int{"data.system": 3, "data.p.any": 3, "data.p.one": 2} {
		n := 0
		for range Dependencies(c, ast.MustParseRef(path)) {
			n++
		}
		if n != want {
			t.Errorf("%s depends on %d rules, want %d", path, n, want)
		}
	}
}

// TestManyRulesOfOneNameCostWhatTheyAre: all rules are found, each once, and four times as many take less than eight
// times the memory to find. What grew with the square of their number took sixteen times.
func TestManyRulesOfOneNameCostWhatTheyAre(t *testing.T) {
	find := func(n int) (bytes uint64) {
		var text strings.Builder
		text.WriteString("package p\n\nallow := ok\n\ndefault ok := false\n")
		for i := range n {
			fmt.Fprintf(&text, "\nok if input.x == %d\n", i)
		}
		c := ast.NewCompiler()
		if c.Compile(map[string]*ast.Module{"p.rego": ast.MustParseModule(text.String())}); c.Failed() {
			t.Fatal(c.Errors)
		}
		seen := map[*ast.Rule]bool{}
		bytes = testkit.Allocated(func() {
			for r := range Dependencies(c, ast.MustParseRef("data.p.allow")) {
				if seen[r] {
					t.Fatalf("%v comes twice", r.Head)
				}
				seen[r] = true
			}
		})
		if len(seen) != n+2 {
			t.Fatalf("%d rules, want %d", len(seen), n+2)
		}
		return bytes
	}
	if few, many := find(500), find(2000); many > 8*few {
		t.Errorf("500 rules take %d bytes, 2000 take %d", few, many)
	}
}
