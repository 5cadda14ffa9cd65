package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// FuzzVirtualCacheIsLikeOPAs plays the same moves on both caches: whatever one knows the other knows.
func FuzzVirtualCacheIsLikeOPAs(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Add([]byte(strings.Repeat("put many of them, get them again, push and pop; ", 20)))
	random := rand.New(rand.NewPCG(1, 2))
	for range 6 { // many values, then any moves
		moves := make([]byte, 800)
		for i := range moves {
			if moves[i] = byte(random.IntN(256)); i%2 == 0 && i < 300 {
				moves[i] = 3 + moves[i]%3
			}
		}
		f.Add(moves)
	}
	f.Fuzz(func(t *testing.T, moves []byte) {
		ours, theirs := newVirtualCache(), topdown.NewVirtualCache()
		depth := 0
		scratch := make(ast.Ref, 0, 8) // OPA changes references after it has passed them
		for i := 0; i+1 < len(moves); i += 2 {
			ref := append(scratch[:0], refNumber(moves[i+1])...)
			switch move := moves[i] % 8; {
			case move == 0:
				ours.Push()
				theirs.Push()
				depth++
			case move == 1 && depth > 0:
				ours.Pop()
				theirs.Pop()
				depth--
			case move == 2:
				ours.Put(ref, nil)
				theirs.Put(ref.Copy(), nil)
			case move == 7 && i%5 == 0:
				ours.clear()
				theirs, depth = topdown.NewVirtualCache(), 0
			case move > 2 && move < 6:
				value := ast.IntNumberTerm(i)
				ours.Put(ref, value)
				theirs.Put(ref.Copy(), value)
			}
			clear(scratch[:cap(scratch)])
			for n := range 256 {
				ref := refNumber(byte(n))
				got, undefined := ours.Get(ref)
				want, wantUndefined := theirs.Get(ref)
				if got != want || undefined != wantUndefined {
					t.Fatalf("after move %d, %v: got %v %v, want %v %v", i, ref, got, undefined, want, wantUndefined)
				}
			}
		}
		if got, want := sortedKeys(ours), sortedKeys(theirs); !slices.Equal(got, want) {
			t.Fatalf("keys %q, want %q", got, want)
		}
	})
}

// refNumber gives 256 references that share beginnings and ends.
func refNumber(n byte) ast.Ref {
	ref := ast.Ref{ast.DefaultRootDocument, ast.StringTerm(fmt.Sprintf("p%d", n%4))}
	for n /= 4; n > 0; n /= 4 {
		if n%4 == 3 {
			ref = append(ref, ast.IntNumberTerm(int(n)))
		} else {
			ref = append(ref, ast.StringTerm(fmt.Sprintf("r%d", n%4)))
		}
	}
	return ref
}

func sortedKeys(c topdown.VirtualCache) []string {
	var out []string
	for _, ref := range c.Keys() {
		out = append(out, ref.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestAFullVirtualCacheContinuesInOPAs(t *testing.T) {
	c := newVirtualCache()
	ref := func(i int) ast.Ref { return ast.Ref{ast.DefaultRootDocument, ast.IntNumberTerm(i)} }
	for i := range 3 * maxListed {
		c.Put(ref(i), ast.IntNumberTerm(i))
	}
	for i := range 3 * maxListed {
		if got, undefined := c.Get(ref(i)); undefined || got == nil || !got.Equal(ast.IntNumberTerm(i)) {
			t.Fatalf("%d: got %v %v", i, got, undefined)
		}
	}
	if len(c.Keys()) != 3*maxListed {
		t.Errorf("%d keys", len(c.Keys()))
	}
}

func TestFunctionsOfEqualArgumentsHaveValuesOfTheirOwn(t *testing.T) {
	call := func(name string) ast.Ref {
		return ast.Ref{ast.NewTerm(ast.Ref{ast.DefaultRootDocument, ast.StringTerm(name)}), ast.IntNumberTerm(1)}
	}
	c := newVirtualCache()
	c.Put(call("f"), ast.InternedTerm(true))
	if v, undefined := c.Get(call("g")); v != nil || undefined {
		t.Errorf("g(1) has the value of f(1), %v", v)
	}
}

func TestAClearedVirtualCacheIsEmpty(t *testing.T) {
	ref := ast.Ref{ast.DefaultRootDocument, ast.StringTerm("x")}
	c := newVirtualCache()
	for range 3 {
		if v, undefined := c.Get(ref); v != nil || undefined {
			t.Fatal("it remembers another evaluation")
		}
		c.Put(ref, ast.InternedTerm(true))
		c.Push()
		if v, undefined := c.Get(ref); v != nil || undefined {
			t.Fatal("a new frame is not empty")
		}
		c.Put(ref, nil)
		if c.clear(); len(c.frames) != 1 {
			t.Fatalf("%d frames are left", len(c.frames))
		}
	}
}
