package introspect

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"golang.org/x/time/rate"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// BreakerState is how an issuer's circuit breaker stands, in the numbers of its metric.
type BreakerState int

// The states.
const (
	BreakerClosed   BreakerState = 0
	BreakerHalfOpen BreakerState = 1
	BreakerOpen     BreakerState = 2
)

// longestHold bounds how long a server can silence us by Retry-After. Callers are told what it said.
const longestHold = 30 * time.Second

// breaker leaves a server alone that has failed several times in a row, or that asked to be left alone.
//
// While it is open, questions of callers go through one by one, a pause apart, also while earlier ones still hang: the
// first that is answered closes it. So a server that is back is found out within a pause, whatever it did before.
//
// A breaker that has just closed lets few questions be under way, and one more with each answer: twice as many in the time
// of one answer. A server that only seemed to be back gets a few questions, and not all of them, to be slow about; and
// while those wait, one more goes through each pause, as before.
type breaker struct {
	name  string
	pause time.Duration
	state circuitbreaker.CircuitBreaker[any] // nil when there is to be none
	// probes keeps the questions apart that go through while the breaker is not closed.
	probes *rate.Limiter
	turn   atomic.Pointer[turn]
	hold   atomic.Pointer[hold]
	// down is set while the latest failure is an outage of the server, and not a 429: refusals are excused by it.
	down atomic.Bool
	// room is how many questions may be under way in a turn, most how many at most.
	room atomic.Int64
	most int64
	log  *slog.Logger // may be nil
	told atomic.Bool  // that it is open
}

// turn is the time between two changes of state. A question that began in an earlier one says nothing about this one when
// it fails, and takes no room: what hung before the server came back must not keep it shut out.
type turn struct{ aloft atomic.Int64 }

// hold is the wish of a server to be left alone.
type hold struct {
	until, wish time.Time
	outage      bool // it came with a 503, and not with a 429
}

// spared is why a question is not asked.
type spared struct {
	cause string
	err   *authz.Error
}

// newBreaker returns a breaker of p. Without a number of failures it lets everything through.
func newBreaker(name string, p Protection, timeout time.Duration, inFlight int) *breaker {
	b := &breaker{name: name, pause: max(p.BreakerDelay, time.Millisecond), most: int64(inFlight)}
	b.room.Store(b.most)
	b.turn.Store(&turn{})
	if p.BreakerFailures <= 0 {
		return b
	}
	b.probes = rate.NewLimiter(rate.Every(b.pause), 1)
	// As many as can hang at once, so that the pause alone keeps them apart.
	hanging := uint(timeout/b.pause) + 2
	b.state = circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(uint(p.BreakerFailures)).
		WithDelay(b.pause).
		WithSuccessThresholdRatio(1, hanging).
		OnStateChanged(func(circuitbreaker.StateChangedEvent) { b.turn.Store(&turn{}) }).
		OnOpen(func(circuitbreaker.StateChangedEvent) { b.room.Store(min(firstRoom, b.most)) }).
		Build()
	return b
}

// firstRoom is how many questions may be under way when the breaker closes after it was open.
const firstRoom = 8

// stands is the state of the breaker.
func (b *breaker) stands() BreakerState {
	if b.state == nil {
		return BreakerClosed
	}
	switch b.state.State() {
	case circuitbreaker.ClosedState:
		return BreakerClosed
	case circuitbreaker.HalfOpenState:
		return BreakerHalfOpen
	case circuitbreaker.OpenState:
	}
	return BreakerOpen
}

// enter lets a question through, or says why not. What it lets through must leave, with the turn that it gives.
func (b *breaker) enter() (*turn, *spared) {
	t, no := b.permit()
	if no == nil {
		t.aloft.Add(1)
	}
	return t, no
}

func (b *breaker) permit() (*turn, *spared) {
	t := b.turn.Load()
	if b.state == nil {
		return t, nil
	}
	if h, now := b.hold.Load(), time.Now(); h != nil && now.Before(h.until) {
		no := b.refuse(refusedHold, "it asked to be left alone", h.wish.Sub(now))
		if h.outage {
			no.err.Err = outage{no.err.Err}
		}
		return nil, no
	}
	if b.state.IsClosed() && (t.aloft.Load() < b.room.Load() || b.probes.Allow()) {
		return t, nil
	}
	if b.state.IsClosed() {
		return nil, b.refuse(refusedOpen, "it is only just back, and has enough to answer for a moment", b.pause)
	}
	if left := b.state.RemainingDelay(); left > 0 {
		return nil, b.open(left)
	}
	if !b.probes.Allow() {
		return nil, b.open(b.pause)
	}
	if !b.state.TryAcquirePermit() {
		b.state.Open() // so many ended without saying how: begin again after a pause
		return nil, b.open(b.pause)
	}
	return b.turn.Load(), nil // which the permit may have begun
}

// open is the refusal of a breaker that is not closed.
func (b *breaker) open(retry time.Duration) *spared {
	no := b.refuse(refusedOpen, "it failed several times in a row and is not asked for a moment", retry)
	if b.down.Load() {
		no.err.Err = outage{no.err.Err}
	}
	return no
}

func (b *breaker) refuse(cause, why string, retry time.Duration) *spared {
	return &spared{cause, &authz.Error{Kind: authz.Unavailable, RetryAfter: retry, Err: fmt.Errorf("introspect at issuer %q: %s", b.name, why)}}
}

// leave reports how a question ended that was let through in a turn.
func (b *breaker) leave(t *turn, v verdict, err error) {
	t.aloft.Add(-1)
	if b.state == nil {
		return
	}
	defer func() { b.tell(err) }()
	f, failed := errors.AsType[*oauth.Failure](err)
	switch {
	case v == works:
		b.down.Store(false)
		b.state.RecordSuccess()
		if room := b.room.Load(); room < b.most {
			b.room.CompareAndSwap(room, room+1)
		}
	case v == fails && t == b.turn.Load():
		b.down.Store(isOutage(f)) // what fails has a Failure: verdictOf
		b.state.RecordFailure()
	}
	if failed && retryAfter(err) > 0 &&
		(f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable) {
		now := time.Now()
		b.hold.Store(&hold{
			until: now.Add(min(retryAfter(err), longestHold)), wish: now.Add(retryAfter(err)), outage: isOutage(f),
		})
		b.state.Open() // when the hold is over, one question goes first
	}
}

// tell logs that the breaker has opened or closed, once each; err is how the last question ended. The states between are
// part of being open.
func (b *breaker) tell(err error) {
	open := !b.state.IsClosed()
	if b.log == nil || !b.told.CompareAndSwap(!open, open) {
		return
	}
	if open {
		b.log.Warn("circuit breaker opened: the authorization server is asked only now and then until it answers", "issuer", b.name, "pause", b.pause, "cause", err)
		return
	}
	b.log.Info("circuit breaker closed: the authorization server answers again", "issuer", b.name)
}

// verdict is what the end of a question says about its server.
type verdict uint8

const (
	nothing verdict = iota
	works
	fails
)

// verdictOf judges by INT-8b: whatever answers works, unless with 429 or 5xx. What only the operator can mend is no
// reason to leave a server alone either: it would hide from him what is wrong.
func verdictOf(err error) verdict {
	if err == nil || authz.KindOf(err) == authz.Misconfigured {
		return works
	}
	f, ok := errors.AsType[*oauth.Failure](err)
	switch {
	case !ok:
		return nothing // the question did not come to be asked
	case f.Reason == oauth.TimedOut, f.Reason == oauth.Broken:
		return fails
	case f.Reason == oauth.Answered && (f.Status == http.StatusTooManyRequests || f.Status >= 500):
		return fails
	case f.Reason == oauth.Answered:
		return works
	}
	return nothing
}
