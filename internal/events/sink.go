package events

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Status is the state of one way in which events about an issuer come.
type Status struct {
	Issuer, Kind string
	// LastEvent is when the last good event came.
	LastEvent time.Time
	// Refused counts the bad ones, Errors those that nobody could judge and failed exchanges with the transmitter.
	Refused, Errors int64
	// The rest is of streams only. State is "up", "down", or "unwatched" when nothing would tell.
	State            string
	LastOK, Verified time.Time
	// StreamID and StreamStatus (enabled, paused, disabled) are what the transmitter says; empty when they are not known.
	StreamID, StreamStatus string
	// Problem is why the stream is not up, in our own words.
	Problem string
}

// complainEvery bounds what strangers can write into the log.
const complainEvery = 10 * time.Second

// sink is where the events of one kind end: they evict, are counted, and are told of in the log by their identifier and
// type alone, for subjects are people.
type sink struct {
	issuer, kind string
	evictor      Evictor
	observer     Observer
	log          *slog.Logger
	now          func() time.Time
	seen         *memory

	mu              sync.Mutex
	lastEvent       time.Time
	refused, errors int64
	complainedAt    time.Time
	unsaid          int
}

func newSink(issuer, kind string, deps Deps) *sink {
	return &sink{
		issuer: issuer, kind: kind, evictor: deps.Evictor, observer: deps.Observer, now: deps.Now, seen: newMemory(maxSeen),
		log: deps.Log.With("issuer", issuer, "kind", kind),
	}
}

// evict puts revocations in force. The identifiers in them become those of the configured issuer.
func (s *sink) evict(jti, event string, revocations []authz.Revocation) error {
	evicted := 0
	for _, r := range revocations {
		r.Issuer, r.Event = s.issuer, true
		n, err := s.evictor.Evict(r)
		if err != nil {
			return authz.Errorf(authz.Unavailable, "evict tokens: the event is not in force")
		}
		evicted += n
	}
	s.took(outcomeEvicted)
	s.log.Info("event evicts", "jti", jti, "event", event, "answers", evicted)
	return nil
}

// pass counts an event that was good and changes nothing.
func (s *sink) pass(outcome, jti, event string) {
	s.took(outcome)
	level := slog.LevelInfo
	switch outcome {
	case outcomeUnmatched:
		level = slog.LevelWarn // somebody meant tokens that we cannot find
	case outcomeDuplicate:
		level = slog.LevelDebug // whoever overheard one can send it again and again
	}
	s.log.Log(context.Background(), level, "event changes nothing", "outcome", outcome, "jti", jti, "event", event)
}

func (s *sink) took(outcome string) {
	s.observer.Received(s.issuer, s.kind, outcome)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastEvent = s.now()
}

// fail counts an event that was not taken. What strangers can cause is not told each time.
func (s *sink) fail(err error) {
	outcome := outcomeRefused
	if unavailable(err) {
		outcome = outcomeUnavailable
	}
	s.observer.Received(s.issuer, s.kind, outcome)
	s.mu.Lock()
	if outcome == outcomeRefused {
		s.refused++
	} else {
		s.errors++
	}
	unsaid := s.unsaid
	now := time.Now()
	quiet := now.Sub(s.complainedAt) < complainEvery
	if quiet {
		s.unsaid++
	} else {
		s.unsaid, s.complainedAt = 0, now
	}
	s.mu.Unlock()
	if !quiet {
		s.log.Warn("event was not taken", "outcome", outcome, "cause", err, "more_since_last", unsaid)
	}
}

// stumbled counts a failed exchange with a transmitter.
func (s *sink) stumbled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors++
}

func (s *sink) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Issuer: s.issuer, Kind: s.kind, LastEvent: s.lastEvent, Refused: s.refused, Errors: s.errors}
}

// unavailable tells that nobody could judge an event, from that it is bad.
func unavailable(err error) bool {
	_, ok := errors.AsType[*authz.Error](err)
	return ok
}
