package decision_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

func TestAProofLetsOneRequestPassInWhateverOrderItsCallersLeave(t *testing.T) {
	leave := func() {}
	w, h := build(t, plan{answers: pass, proof: accepting(), ttl: time.Minute,
		wrap: func(i introspect.Introspector) introspect.Introspector { return leaving{i, &leave} }}), newHolder(t)
	tok := w.grant(t, h.grant())
	for range 60 {
		shown := proven("open", tok, h.prove(t, tok, "open", ""))
		kinds := make([]authz.Kind, 6)
		var callers sync.WaitGroup
		for i := range kinds {
			ctx, cancel := context.WithCancel(t.Context())
			if i%3 != 0 {
				callers.Go(cancel)
			}
			callers.Go(func() { kinds[i] = w.point.Decide(ctx, shown).Kind; cancel() })
		}
		callers.Wait()
		after := w.point.Decide(t.Context(), shown).Kind
		passed := 0
		for _, k := range append(kinds, after) {
			if k == authz.Allow {
				passed++
			}
		}
		if passed != 1 {
			t.Fatalf("%d requests passed with one proof: %v, then %s", passed, kinds, after)
		}
	}
}
