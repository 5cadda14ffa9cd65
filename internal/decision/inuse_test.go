package decision_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// holding keeps requests under way that have used their proof, and tells of requests that find theirs in use.
type holding struct {
	decision.PossessionVerifier
	used, inUse chan struct{}
	goOn        chan struct{} // one value a request
}

func (h holding) Verify(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) (*proof.Use,
	error) {
	use, err := h.PossessionVerifier.Verify(c, cred, q, now)
	if _, ok := errors.AsType[*proof.InUse](err); ok {
		h.inUse <- struct{}{}
	}
	if err == nil {
		h.used <- struct{}{}
		<-h.goOn
	}
	return use, err
}

// twice is a world in which one request holds its proof and the same request comes again.
type twice struct {
	world         *world
	held          holding
	query         authz.Query
	leave         func() // of the caller of the first
	leaveSecond   func()
	first, second chan authz.Decision
}

func askTwice(t *testing.T) *twice {
	t.Helper()
	w := &twice{held: holding{used: make(chan struct{}), inUse: make(chan struct{}), goOn: make(chan struct{}, 9)},
		first: make(chan authz.Decision, 1), second: make(chan authz.Decision, 1)}
	w.world = build(t, plan{answers: pass, proof: accepting(), ttl: time.Minute,
		wrapProofs: func(v decision.PossessionVerifier) decision.PossessionVerifier {
			w.held.PossessionVerifier = v
			return w.held
		}})
	h := newHolder(t)
	tok := w.world.grant(t, h.grant())
	w.query = proven("open", tok, h.prove(t, tok, "open", ""))
	ask := func(to chan authz.Decision) (leave func()) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { to <- w.world.point.Decide(ctx, w.query) }()
		return cancel
	}
	w.leave = ask(w.first)
	<-w.held.used
	w.leaveSecond = ask(w.second)
	<-w.held.inUse
	return w
}

func TestTheSameRequestAgainWaitsAndIsAReplayWhenTheFirstWasAnswered(t *testing.T) {
	w := askTwice(t)
	w.held.goOn <- struct{}{}
	w.world.expect(t, <-w.first, authz.Allow, http.StatusOK)
	w.world.expect(t, <-w.second, authz.Unauthenticated, http.StatusUnauthorized, "invalid_dpop_proof")
}

func TestTheSameRequestAgainIsDecidedWhenTheCallerOfTheFirstIsGone(t *testing.T) {
	w := askTwice(t)
	w.leave()
	w.held.goOn <- struct{}{}
	w.world.expect(t, <-w.first, authz.Unavailable, http.StatusServiceUnavailable, "temporarily_unavailable")
	<-w.held.used
	w.held.goOn <- struct{}{}
	w.world.expect(t, <-w.second, authz.Allow, http.StatusOK)
	w.world.expect(t, w.world.point.Decide(t.Context(), w.query), authz.Unauthenticated, http.StatusUnauthorized,
		"invalid_dpop_proof")
}

func TestARequestThatWaitsForItsProofIsUnavailableWhenItsOwnTimeIsOver(t *testing.T) {
	w := askTwice(t)
	w.leaveSecond()
	w.world.expect(t, <-w.second, authz.Unavailable, http.StatusServiceUnavailable, "temporarily_unavailable")
	w.held.goOn <- struct{}{}
	w.world.expect(t, <-w.first, authz.Allow, http.StatusOK)
}
