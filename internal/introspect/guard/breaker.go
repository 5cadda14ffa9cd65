package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// State is the state of a circuit breaker. Its number is the value of the metric.
type State int

// The states.
const (
	Closed   State = 0
	HalfOpen State = 1
	Open     State = 2
)

// longestHold bounds how long a Retry-After field of the server stops questions. Callers are told the whole time.
const longestHold = 30 * time.Second

// firstCapacity is how many questions may be in flight when the breaker closes after it was open.
const firstCapacity = 8

// breaker stops questions to a server that failed several times in a row, or that sent Retry-After.
//
// While it is not closed, single questions of callers go through, one each pause, also while earlier ones still wait
// for their answer: the first that is answered closes it. A server that works again is found within one pause. Where
// the probe before was refused a connection, the pause is refusedPause, and one probe is under way at a time.
//
// A breaker that has just closed allows few questions in flight, and one more for each answer, which doubles them in
// the time of one answer. So a server that answered once and hangs again holds few questions; beyond them one more
// goes through each pause, as before.
type breaker struct {
	name      string
	threshold int // failures in a row that open it; 0 disables the breaker
	pause     time.Duration
	limit     int // of questions in flight
	log       *slog.Logger

	mu        sync.Mutex // guards what follows
	state     State
	since     time.Time // of the state
	epoch     *epoch
	failed    int       // failures in a row in this epoch
	capacity  int       // questions that may be in flight in this epoch
	nextProbe time.Time // when the next question may go through beyond capacity, or while the breaker is not closed
	hold      hold
	outage    bool // the latest failure is an outage of the server, and no 429
}

// epoch is the time between two changes of state. A question that began in an earlier epoch says nothing about this
// one when it fails, and does not count against the capacity: what hung before the server came back must not keep the
// breaker open.
type epoch struct{ inFlight int }

// hold is a Retry-After of the server. It is obeyed until the one time; callers are told the other.
type hold struct {
	until, wish time.Time
	outage      bool // it came with a 503, not with a 429
}

// rejection is why a question is not put to the server.
type rejection struct {
	cause string
	err   *authz.Error
}

func newBreaker(cfg Config, deps Deps) *breaker {
	return &breaker{
		name: deps.Issuer, threshold: max(cfg.BreakerFailures, 0), pause: max(cfg.BreakerDelay, time.Millisecond),
		limit: deps.MaxInFlight, log: deps.Log, since: time.Now(), epoch: &epoch{}, capacity: deps.MaxInFlight,
	}
}

// State is the state at this moment.
func (b *breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// Acquire lets a question through, or says why not. What it lets through must end with Release of the epoch returned.
func (b *breaker) Acquire() (*epoch, *rejection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	switch {
	case b.threshold == 0:
	case now.Before(b.hold.until):
		return nil, b.reject(causeRetryAfter, "it sent Retry-After", b.hold.wish.Sub(now), b.hold.outage)
	case b.state == Closed && b.epoch.inFlight < b.capacity:
	case now.Before(b.nextProbe) && b.state == Closed:
		return nil, b.reject(causeOpen,
			"it answers again since a moment, and as many questions as it may get are in flight", b.pause, false)
	case now.Before(b.nextProbe):
		return nil, b.reject(causeOpen, "it failed several times in a row and is not asked for a moment",
			b.nextProbe.Sub(now), b.outage)
	default:
		b.nextProbe = now.Add(b.pause)
		if b.state == Open {
			b.enter(HalfOpen)
		}
	}
	b.epoch.inFlight++
	return b.epoch, nil
}

func (b *breaker) reject(cause, why string, retry time.Duration, outage bool) *rejection {
	err := fmt.Errorf("introspect at issuer %q: %s", b.name, why)
	if outage {
		err = introspect.Outage{Err: err}
	}
	return &rejection{cause, &authz.Error{Kind: authz.Unavailable, RetryAfter: retry, Err: err}}
}

// enter changes the state. b.mu is held.
func (b *breaker) enter(s State) { b.state, b.since, b.epoch, b.failed = s, time.Now(), &epoch{}, 0 }

// Release reports how a question of an epoch ended, and logs when the breaker opened or closed by it.
func (b *breaker) Release(e *epoch, h health, err error) {
	switch was, is := b.record(e, h, err); {
	case was == Closed && is == Open:
		b.log.Warn("circuit breaker opened: the authorization server is asked only now and then until it answers",
			"issuer", b.name, "pause", b.pause, "cause", err)
	case was != Closed && is == Closed:
		b.log.Info("circuit breaker closed: the authorization server answers again", "issuer", b.name)
	}
}

func (b *breaker) record(e *epoch, h health, err error) (was, is State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.inFlight--
	if b.threshold == 0 {
		return Closed, Closed
	}
	was = b.state
	f, isFailure := errors.AsType[*oauth.Failure](err)
	switch {
	case h == success:
		b.outage, b.failed, b.capacity = false, 0, min(b.capacity+1, b.limit)
		if b.state == HalfOpen {
			b.enter(Closed)
		}
	case h == failure && e == b.epoch:
		b.outage = introspect.IsOutage(f) // a failure always has one: healthOf
		if b.failed++; b.state == Closed && b.failed >= b.threshold {
			b.open()
		}
		if soon := time.Now().Add(refusedPause); f.Reason == oauth.Unserved && b.state != Closed &&
			soon.Before(b.nextProbe) {
			b.nextProbe = soon
		}
	}
	if wish := retryAfter(err); isFailure && wish > 0 &&
		(f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable) {
		now := time.Now()
		b.hold = hold{until: now.Add(min(wish, longestHold)), wish: now.Add(wish), outage: introspect.IsOutage(f)}
		b.open() // after the hold one question goes first
	}
	return was, b.state
}

// open opens the breaker unless it is open. b.mu is held.
func (b *breaker) open() {
	if b.state == Open {
		return
	}
	b.enter(Open)
	b.nextProbe, b.capacity = time.Now().Add(b.pause), min(firstCapacity, b.limit)
}

// health is what the end of a question says about the server.
type health uint8

const (
	ignored health = iota
	success
	failure
)

// healthOf follows INT-8b: every answer but 429 and 5xx is a success. A misconfiguration is one too: an open breaker
// would hide from the operator what is wrong.
func healthOf(err error) health {
	if err == nil || authz.KindOf(err) == authz.Misconfigured {
		return success
	}
	f, ok := errors.AsType[*oauth.Failure](err)
	switch {
	case !ok:
		return ignored // nothing was sent
	case f.Reason == oauth.TimedOut, f.Reason == oauth.Broken, f.Reason == oauth.Unserved:
		return failure
	case f.Reason == oauth.Answered && (f.Status == http.StatusTooManyRequests || f.Status >= 500):
		return failure
	case f.Reason == oauth.Answered:
		return success
	}
	return ignored
}
