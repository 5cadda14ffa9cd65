package rego

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

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
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		seen := map[*ast.Rule]bool{}
		for r := range Dependencies(c, ast.MustParseRef("data.p.allow")) {
			if seen[r] {
				t.Fatalf("%v comes twice", r.Head)
			}
			seen[r] = true
		}
		runtime.ReadMemStats(&after)
		if len(seen) != n+2 {
			t.Fatalf("%d rules, want %d", len(seen), n+2)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := find(500), find(2000); many > 8*few {
		t.Errorf("500 rules take %d bytes, 2000 take %d", few, many)
	}
}
