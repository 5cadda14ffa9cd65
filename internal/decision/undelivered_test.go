package decision_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// leaving is an introspector whose caller goes as soon as the token is known.
type leaving struct {
	introspect.Introspector
	leave *func()
}

func (l leaving) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	claims, err := l.Introspector.Introspect(ctx, q)
	(*l.leave)()
	return claims, err
}

func TestAProofMayBeShownAgainWhenItsCallerWasGoneBeforeTheAnswer(t *testing.T) {
	leave := func() {}
	w, h := build(t, plan{answers: pass, proof: accepting(), ttl: time.Minute,
		wrap: func(i introspect.Introspector) introspect.Introspector { return leaving{i, &leave} }}), newHolder(t)
	tok := w.grant(t, h.grant())
	shown := proven("open", tok, h.prove(t, tok, "open", ""))

	ctx, cancel := context.WithCancel(t.Context())
	leave = cancel // and still reads: as a caller does that closes its side of the connection only
	w.expect(t, w.point.Decide(ctx, shown), authz.Unavailable, http.StatusServiceUnavailable,
		"temporarily_unavailable")
	leave = func() {}
	w.expect(t, w.point.Decide(t.Context(), shown), authz.Allow, http.StatusOK)
	w.expect(t, w.point.Decide(t.Context(), shown), authz.Unauthenticated, http.StatusUnauthorized,
		"invalid_dpop_proof")

	// A refused repetition whose caller goes does not make the proof unused.
	ctx, cancel = context.WithCancel(t.Context())
	leave = cancel
	w.point.Decide(ctx, shown)
	leave = func() {}
	w.expect(t, w.point.Decide(t.Context(), shown), authz.Unauthenticated, http.StatusUnauthorized,
		"invalid_dpop_proof")
}
