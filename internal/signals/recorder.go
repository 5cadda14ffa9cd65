package signals

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/recent"
)

// Status is the state of one receiver.
type Status struct {
	Issuer, Kind string
	// LastEvent is when the last valid signal came.
	LastEvent time.Time
	// Refused counts signals that are not valid; Errors those that could not be verified or put in force, and failed
	// exchanges with a transmitter.
	Refused, Errors int64
	// The other members are of streams only. State is "up", "down", or "unwatched" when silence means nothing.
	State            string
	LastOK, Verified time.Time
	// StreamID and StreamStatus (enabled, paused, disabled) are what the transmitter says; empty when unknown.
	StreamID, StreamStatus string
	// Problem is why the stream is not up.
	Problem string
}

const (
	// warnEvery bounds what senders can write into the log.
	warnEvery = 10 * time.Second
	// maxSeen bounds the identifiers that are remembered. A signal that comes again after it was forgotten evicts
	// again, which does no harm.
	maxSeen = 20_000
)

// Recorder ends the signals of one receiver: it puts them in force, counts them, and logs them by identifier and type
// alone, because subjects are people. It is safe for concurrent use.
type Recorder struct {
	issuer, kind string
	evictor      Evictor
	outcomes     *metrics.Counters
	log          *slog.Logger
	now          func() time.Time

	mu              sync.Mutex
	seen            *recent.Map[string, struct{}] // identifiers of signals
	lastSignal      time.Time
	refused, errors int64
	warned          time.Time
	unlogged        int
}

// NewRecorder returns the Recorder of one kind of signals about an issuer. deps have defaults.
func NewRecorder(issuer, kind string, deps Deps) *Recorder {
	return &Recorder{
		issuer: issuer, kind: kind, evictor: deps.Evictor, now: deps.Now,
		outcomes: metrics.NewCounters(metrics.With(metrics.With(deps.Metrics, "issuer", issuer), "kind", kind),
			"sidecar_events_received_total", "Revocation events received, by kind and outcome.",
			"outcome", Evicted, Ignored, Unmatched, Duplicate, Refused, Unavailable),
		seen: recent.New[string, struct{}](maxSeen, 0), log: deps.Log.With("issuer", issuer, "kind", kind),
	}
}

// Now is the clock that claims are compared with.
func (r *Recorder) Now() time.Time { return r.now() }

// Log is the logger of this receiver.
func (r *Recorder) Log() *slog.Logger { return r.log }

// Seen reports whether a signal came before.
func (r *Recorder) Seen(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.seen.Get(id, time.Time{})
	return ok
}

// Remember makes Seen report a signal, once it is in force.
func (r *Recorder) Remember(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.Put(id, struct{}{}, time.Time{})
}

// Evict puts revocations in force. The identifiers in them become those of the configured issuer.
func (r *Recorder) Evict(id, event string, revocations []authz.Revocation) error {
	evicted := 0
	for _, v := range revocations {
		v.Issuer, v.Event = r.issuer, true
		n, err := r.evictor.Evict(v)
		if err != nil {
			return authz.Errorf(authz.Unavailable, "evict tokens: the event is not in force")
		}
		evicted += n
	}
	r.accept(Evicted)
	r.log.Info("event evicts", "jti", id, "event", event, "answers", evicted)
	return nil
}

// Pass records a valid signal that changes nothing.
func (r *Recorder) Pass(outcome, id, event string) {
	r.accept(outcome)
	level := slog.LevelInfo
	switch outcome {
	case Unmatched:
		level = slog.LevelWarn // it means tokens that cannot be found here
	case Duplicate:
		level = slog.LevelDebug // a signal that was overheard can be sent again and again
	}
	r.log.Log(context.Background(), level, "event changes nothing", "outcome", outcome, "jti", id, "event", event)
}

func (r *Recorder) accept(outcome string) {
	r.outcomes.Inc(outcome)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastSignal = r.now()
}

// Reject records a signal that is not accepted. The log has one of them each 10 s: anyone can send them.
func (r *Recorder) Reject(err error) {
	outcome := Refused
	if IsUnavailable(err) {
		outcome = Unavailable
	}
	r.outcomes.Inc(outcome)
	now := time.Now()
	r.mu.Lock()
	if outcome == Refused {
		r.refused++
	} else {
		r.errors++
	}
	unlogged := r.unlogged
	quiet := now.Sub(r.warned) < warnEvery
	if quiet {
		r.unlogged++
	} else {
		r.unlogged, r.warned = 0, now
	}
	r.mu.Unlock()
	if !quiet {
		r.log.Warn("event was not taken", "outcome", outcome, "cause", err, "more_since_last", unlogged)
	}
}

// CountError counts a failed exchange with a transmitter.
func (r *Recorder) CountError() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors++
}

// Status returns what was recorded.
func (r *Recorder) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Status{Issuer: r.issuer, Kind: r.kind, LastEvent: r.lastSignal, Refused: r.refused, Errors: r.errors}
}
