//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// firstDecision is the time from the start of the process to its first allow, discovery and introspection included.
func firstDecision(t *testing.T, program string, w *world, rounds int) []time.Duration {
	t.Helper()
	var took []time.Duration
	for range rounds {
		s := startSidecar(t, program, w, setup{policy: w.shipped})
		took = append(took, await(t, s.proc, s.dial))
		s.proc.stop()
	}
	return took
}

// usage is resident memory in MiB.
type usage struct {
	answer    int     // bytes of one answer of the issuer
	fresh     float64 // before the first token
	now, peak float64
	rest      float64 // once the process has given back what it does not need
}

// restsWithin is how long after its last request a sidecar has given back memory.
const restsWithin = 7 * time.Second

// cached is how many tokens the memory is measured with.
const cached = 10_000

// cachedTokens fills the cache of a new sidecar with tokens of about 1 KiB of claims.
func cachedTokens(t *testing.T, program string, w *world) usage {
	t.Helper()
	s := startSidecar(t, program, w, setup{policy: w.shipped})
	await(t, s.proc, s.dial)
	u := usage{answer: len(w.introspect(t, w.issue(t, fat())).Raw)}
	var err error
	if u.fresh, _, err = s.proc.memory(); err != nil {
		t.Fatal(err)
	}
	c, err := dial(s.api, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	before := w.issuer.Calls()
	for range cached {
		c.request = request("/v1/decisions", question(t, w.issue(t, fat())))
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.issuer.Calls() - before; n != cached {
		t.Fatalf("the issuer was asked %d times about %d tokens", n, cached)
	}
	if u.now, u.peak, err = s.proc.memory(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(restsWithin)
	if u.rest, _, err = s.proc.memory(); err != nil {
		t.Fatal(err)
	}
	s.proc.stop()
	return u
}

// startsWithin is longer than a watcher takes to see that nothing has changed since the start of its process.
const startsWithin = time.Second

// rules is how many rules a reload reads besides the shipped ones.
const rules = 1_000

// reloads is the time from the first byte of an edit to the first answer that follows from it, debounce included.
func reloads(t *testing.T, program string, w *world, rounds int) []time.Duration {
	t.Helper()
	policies := t.TempDir()
	if err := os.CopyFS(policies, os.DirFS(w.shipped.dir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(policies, "generated.rego")
	edit := func(generation int) time.Time {
		begun := time.Now()
		testkit.WriteFile(t, file, string(module(generation, rules)))
		return begun
	}
	edit(0)
	s := startSidecar(t, program, w, setup{policy: policy{"generated", policies}})
	await(t, s.proc, s.dial)
	c, err := dial(s.api, request("/v1/decisions/generated/decision", question(t, w.token)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	time.Sleep(startsWithin)
	var took []time.Duration
	for generation := 1; generation <= rounds; generation++ {
		want := fmt.Appendf(nil, `"generation":%d}`, generation)
		begun := edit(generation)
		for time.Since(begun) < answerIn {
			body, err := c.ask()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(body, want) {
				took = append(took, time.Since(begun))
				break
			}
		}
	}
	if len(took) != rounds {
		t.Fatalf("%d of %d edits took effect", len(took), rounds)
	}
	s.proc.stop()
	return took
}

// module is Rego with many rules of three expressions, whose decision tells its generation.
func module(generation, rules int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `package generated

# METADATA
# entrypoint: true
decision := {"allow": permitted, "context": {"generation": %d}}

default permitted := false
`, generation)
	for i := range rules {
		fmt.Fprintf(&b, `
permitted if {
	input.request.method == "GET"
	input.request.segments[0] == "collection-%d"
	"collection-%d:read" in input.token.scopes
}
`, i, i)
	}
	return []byte(b.String())
}
