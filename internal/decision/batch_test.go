package decision_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// echoes tells what a decision was made of: which policy, which data, which request.
func echoes(generation string) (rego, data string) {
	return strings.ReplaceAll(`package authz

# METADATA
# entrypoint: true
decision := {"allow": true, "context": {"policy": "GENERATION", "data": data.generation, "path": input.request.path}}
`, "GENERATION", generation), fmt.Sprintf(`{"generation": %q}`, generation)
}

func context1(generation, path string) string {
	return fmt.Sprintf(`{"data":%q,"path":%q,"policy":%q}`, generation, path, generation)
}

func TestEvaluationsOfABatchAreCountedByTheSnapshot(t *testing.T) {
	w := build(t, plan{answers: map[string]any{"open": true, "odd": map[string]any{"allow": "yes"}}})
	tok := w.grant(t, devissuer.Grant{})
	w.point.DecideAll(t.Context(), []authz.Query{
		question("open", "Bearer "+tok), question("odd", "Bearer "+tok), question("open", "Bearer "+tok)})
	if got, want := w.point.Snapshot().Verdicts(), (decision.Verdicts{Evaluations: 3, Misconfigured: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestBatchAnswersInOrder(t *testing.T) {
	rego, _ := echoes("one")
	w := build(t, plan{rego: strings.Replace(rego, "data.generation", `"one"`, 1)})
	tok := w.grant(t, devissuer.Grant{})
	var queries []authz.Query
	for i := range 50 {
		q := question(fmt.Sprintf("item-%d", i), "Bearer "+tok)
		if i%10 == 3 {
			q = question(fmt.Sprintf("item-%d", i))
		}
		queries = append(queries, q)
	}
	for i, d := range w.point.DecideAll(t.Context(), queries) {
		if i%10 == 3 {
			w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "no_credential")
			continue
		}
		w.expect(t, d, authz.Allow, http.StatusOK)
		if want := context1("one", fmt.Sprintf("/item-%d", i)); string(d.Context) != want {
			t.Errorf("item %d has context %s, want %s", i, d.Context, want)
		}
	}
	if queries[0].Entrypoint != "" {
		t.Error("the queries of the caller were changed")
	}
}

func TestBatchAsksOnceForEachTokenEvenWithoutCache(t *testing.T) {
	w := build(t, plan{answers: pass}) // ttl 0: nothing is cached
	var queries []authz.Query
	for i := range 60 {
		queries = append(queries, question("open", fmt.Sprintf("Bearer token-%d", i%3)))
	}
	for _, d := range w.point.DecideAll(t.Context(), queries) {
		w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
	}
	if n := w.issuer.Calls(); n != 3 {
		t.Errorf("the server was asked %d times about 3 tokens", n)
	}
	w.point.DecideAll(t.Context(), queries[:3])
	if n := w.issuer.Calls(); n != 6 {
		t.Errorf("the next batch made it %d questions, want 6: nothing is to be kept", n)
	}
}

func TestBatchOutlivesAPanic(t *testing.T) {
	w := build(t,
		plan{answers: pass, wrap: instead(func(_ context.Context, q introspect.Question) (*authz.Claims, error) {
			if q.Token.Reveal() == "bad" {
				panic("no")
			}
			return &authz.Claims{Active: true, Kind: authz.AccessToken}, nil
		})})
	ds := w.point.DecideAll(t.Context(), []authz.Query{
		question("open", "Bearer bad"), question("open", "Bearer good"), question("open", "Bearer bad"),
	})
	w.expect(t, ds[0], authz.Internal, http.StatusInternalServerError, "internal_error")
	w.expect(t, ds[1], authz.Allow, http.StatusOK)
	w.expect(t, ds[2], authz.Internal, http.StatusInternalServerError, "internal_error")
}

// generations are two policies that can be told apart by their code, their data and their digest.
func generations(t *testing.T) map[string]*engine.Policy {
	t.Helper()
	out := map[string]*engine.Policy{}
	for _, g := range []string{"one", "two"} {
		rego, data := echoes(g)
		out[g] = compile(t, rego, data)
	}
	return out
}

// swapping puts one generation after the other in place until the returned func is called, which waits for the end.
func swapping(w *world, policies map[string]*engine.Policy) (stop func()) {
	var ended atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !ended.Load(); i++ {
			next := policies[[]string{"one", "two"}[i%2]]
			w.point.Swap(&decision.Snapshot{Introspector: w.point.Snapshot().Introspector, Policy: next})
		}
	})
	return func() { ended.Store(true); wg.Wait() }
}

// unmixed reports the generation of a decision, or fails when it is of several.
func unmixed(t *testing.T, d authz.Decision, policies map[string]*engine.Policy) string {
	t.Helper()
	for g, p := range policies {
		if p.Digest() == d.Policy.Digest && p.Revision() == d.Policy.Revision &&
			string(d.Context) == context1(g, "/open") {
			return g
		}
	}
	t.Errorf("mixed: %+v decided %s %s (cause %v)", d.Policy, d.Kind, d.Context, d.Cause)
	return ""
}

func TestReloadNeverMixesGenerations(t *testing.T) {
	policies := generations(t)
	w := build(t, plan{answers: pass, ttl: 1 << 40})
	w.point.Swap(&decision.Snapshot{Introspector: w.asker, Policy: policies["one"]})
	q := question("open", "Bearer "+w.grant(t, devissuer.Grant{}))
	w.point.Decide(t.Context(), q)

	stop := swapping(w, policies)
	defer stop()
	var seen sync.Map
	both := func() bool {
		_, one := seen.Load("one")
		_, two := seen.Load("two")
		return one && two
	}
	enough := make(chan struct{}) // the machine may have no time for the swaps at first
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for n := 0; ; n++ {
				seen.Store(unmixed(t, w.point.Decide(t.Context(), q), policies), true)
				select {
				case <-enough:
					if n >= 300 {
						return
					}
				default:
				}
			}
		})
	}
	testkit.Eventually(t, "both generations decide", both)
	close(enough)
	callers.Wait()
}

func TestBatchIsOfOneGeneration(t *testing.T) {
	policies := generations(t)
	w := build(t, plan{answers: pass, ttl: 1 << 40})
	w.point.Swap(&decision.Snapshot{Introspector: w.asker, Policy: policies["one"]})
	var queries []authz.Query
	tok := w.grant(t, devissuer.Grant{})
	for range 32 {
		queries = append(queries, question("open", "Bearer "+tok))
	}
	stop := swapping(w, policies)
	defer stop()
	for range 20 {
		ds := w.point.DecideAll(t.Context(), queries)
		first := unmixed(t, ds[0], policies)
		for _, d := range ds {
			if g := unmixed(t, d, policies); g != first {
				t.Fatalf("one batch was decided by %q and by %q", first, g)
			}
		}
	}
}
