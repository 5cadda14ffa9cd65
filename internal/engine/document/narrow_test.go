package document

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/reads"
)

// TestAKnownSegmentIsNoPosition compares keys of paths whose known segments look like positions, and the other way
// round.
func TestAKnownSegmentIsNoPosition(t *testing.T) {
	compiler := ast.MustCompileModules(map[string]string{"p.rego": `package p

decision if input.request.segments[_] in ["", "\u0000", "\u0001", "\u0001\u0000", "\u0001\u0001"]
`})
	noData := func(ast.Ref) (ast.Value, bool) { return nil, true }
	narrow := reads.New(compiler).NarrowingOf(ast.MustParseRef("data.p.decision"), noData)
	if !narrow.Segments {
		t.Fatal("segments are not narrowed")
	}
	words := []string{"", "\x00", "\x01", "\x01\x00", "\x01\x01", "u", "v"}
	r := rand.New(rand.NewPCG(1, 2))
	keys, paths := map[string]string{}, map[string]string{}
	for range 20_000 {
		segments := make([]string, r.IntN(5))
		want := ""
		for i := range segments {
			segments[i] = words[r.IntN(len(words))]
			if narrow.Known(segments[i]) || segments[i] == "" {
				want += fmt.Sprintf("%q ", segments[i])
			} else {
				want += fmt.Sprintf("%d ", slices.Index(segments, segments[i]))
			}
		}
		key := string(appendSegments(nil, 0, segments, &narrow))
		if had, ok := keys[key]; ok && had != want {
			t.Fatalf("one key for %s and %s", had, want)
		}
		if had, ok := paths[want]; ok && had != key {
			t.Fatalf("two keys for %s", want)
		}
		keys[key], paths[want] = want, key
	}
	if len(paths) < 1000 {
		t.Errorf("only %d paths", len(paths))
	}
}
