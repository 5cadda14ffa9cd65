package events

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// stream is one stream of security events, pushed to us or polled by us.
type stream struct {
	cfg         SharedSignals
	sessions    string
	name        string // of the issuer
	issuers     []string
	transmitter *transmitter
	keys        *jose.KeySet
	own         *oauth.Server // of the transmitter, when that is not the issuer
	sink        *sink
	limiter     Limiter
	log         *slog.Logger
	bearer      string            // the whole Authorization header, for the transmitter to know; never printed
	header      [sha256.Size]byte // its digest

	mu       sync.Mutex // guards what follows
	config   *streamConfig
	states   []string // of verifications that are not answered yet
	status   string
	problem  string
	state    string
	lastOK   time.Time
	verified time.Time
}

// States of a stream.
const (
	stateUp        = "up"
	stateDown      = "down"
	stateUnwatched = "unwatched"
)

func newStream(all Config, issuer oauth.Config, server *oauth.Server, k *sink, deps Deps) (*stream, error) {
	cfg := all.SharedSignals
	s := &stream{cfg: cfg, sessions: all.Sessions, name: issuer.Name, issuers: []string{issuer.Issuer}, sink: k, limiter: deps.Limiter, log: k.log}
	if !cfg.Authorization.IsZero() {
		t, err := cfg.Authorization.Read()
		if err != nil {
			return nil, fmt.Errorf("shared_signals.authorization: %w", err)
		}
		s.bearer, s.header = t.Reveal(), sha256.Sum256([]byte(t.Reveal()))
	}
	if !cfg.AccessToken.IsZero() {
		if _, err := cfg.AccessToken.Read(); err != nil {
			return nil, fmt.Errorf("shared_signals.access_token: %w", err)
		}
	}
	at := server
	other := cfg.Transmitter != "" && cfg.Transmitter != issuer.Issuer
	if other {
		issuer.Issuer = cfg.Transmitter
	}
	if !issuer.Discoverable() { // an issuer may be but a name to compare; here it says whose keys count, and where the access token goes
		return nil, fmt.Errorf("shared_signals.transmitter: %q is no https URL, which its configuration must be read from", issuer.Issuer)
	}
	if other {
		var err error
		if at, err = oauth.New(issuer, oauth.Deps{Log: deps.Log, Transport: deps.Transport}); err != nil {
			return nil, fmt.Errorf("shared_signals.transmitter: %w", err)
		}
		s.own = at
		s.issuers = append(s.issuers, cfg.Transmitter)
	}
	s.transmitter = newTransmitter(issuer.Issuer, at, newAccess(cfg.AccessToken, server, cfg.Scope), issuer.Timeout)
	s.keys = jose.NewKeySet(jose.KeySetConfig{Name: issuer.Name, Log: deps.Log, Fetch: s.transmitter.fetchKeys, MostWaiting: mostWaiting, LongestWait: longestWait})
	return s, nil
}

func (s *stream) close() {
	s.keys.Close()
	s.transmitter.close()
	if s.own != nil {
		s.own.Close()
	}
}

// audience is who we are in the tokens of this stream.
func (s *stream) audience() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config == nil {
		return s.cfg.Audience
	}
	return append(append([]string(nil), s.cfg.Audience...), s.config.Audience...)
}

// novelty tells a token that came for the first time.
type novelty uint8

const (
	isNew novelty = iota
	isKnown
)

// take verifies a security event token and puts it in force. It returns the token's identifier; a *fault when the token is
// bad, or an *authz.Error when it should come again.
func (s *stream) take(ctx context.Context, raw string) (string, novelty, error) {
	m, err := s.transmitter.metadata(ctx)
	if err != nil {
		return "", isNew, err
	}
	v := verifier{issuer: s.transmitter.id, audience: s.audience(), algorithms: s.cfg.Algorithms, keys: s.keys, now: s.sink.now}
	if len(v.audience) == 0 {
		return "", isNew, authz.Errorf(authz.Unavailable, "take event: the stream is not set up yet")
	}
	e, err := v.verify(ctx, raw)
	if err != nil {
		return "", isNew, err
	}
	if s.sink.seen.has(e.id) {
		s.sink.pass(outcomeDuplicate, e.id, "")
		return e.id, isKnown, nil
	}
	var steps []func() error
	for _, t := range e.types() { // all are read before one is put in force
		step, err := s.plan(e, t, reader{issuers: s.issuers, sessions: s.sessions, critical: m.Critical})
		if err != nil {
			return e.id, isNew, err
		}
		steps = append(steps, step)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return e.id, isNew, err
		}
	}
	s.sink.seen.add(e.id)
	return e.id, isNew, nil
}

// plan is what to do about one event of a token.
func (s *stream) plan(e set, event string, r reader) (func() error, error) {
	switch event {
	case verificationEvent:
		return s.planVerification(e)
	case streamUpdatedEvent:
		return s.planUpdate(e)
	}
	what, at, err := read(event, e.events[event], e.at, s.sink.now())
	if err != nil {
		return nil, err
	}
	if what == meansNothing {
		return func() error { s.sink.pass(outcomeIgnored, e.id, printable(event)); return nil }, nil
	}
	revocations, err := r.read(e.subject)
	if err != nil { // the token is good: sending it again would not help
		return func() error { s.sink.pass(outcomeUnmatched, e.id, event); return nil }, nil //nolint:nilerr // see above
	}
	for i := range revocations {
		revocations[i].At = at
		if event != sessionRevoked {
			revocations[i].OfSession = "" // it is about more than the session in which it happened
		}
	}
	return func() error { return s.sink.evict(e.id, event, revocations) }, nil
}

// printable shortens the type of an event that is not one of ours.
func printable(event string) string {
	if !identifier(event) || len(event) > 200 {
		return "other"
	}
	return event
}

// planVerification accepts the states that we sent, and none, which a transmitter sends on its own: SSF 1.0 section 8.1.4.
func (s *stream) planVerification(e set) (func() error, error) {
	var b struct {
		State *string `json:"state"`
	}
	if json.Unmarshal(e.events[verificationEvent], &b) != nil || !s.meansThis(e.subject) {
		return nil, &fault{codeRequest, "its verification event is malformed, or of another stream"}
	}
	if b.State != nil && !s.expects(*b.State) {
		return nil, &fault{codeState, "its verification event has a state that nobody sent"}
	}
	return func() error {
		s.sink.pass(outcomeIgnored, e.id, verificationEvent)
		s.mu.Lock()
		s.verified = time.Now()
		if b.State != nil { // others may be on their way
			s.states = slices.DeleteFunc(s.states, func(sent string) bool { return sent == *b.State })
		}
		s.mu.Unlock()
		return nil
	}, nil
}

func (s *stream) planUpdate(e set) (func() error, error) {
	var b struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(e.events[streamUpdatedEvent], &b) != nil || !s.meansThis(e.subject) || !knownStatus(b.Status) {
		return nil, &fault{codeRequest, "its stream-updated event is malformed, or of another stream"}
	}
	return func() error {
		s.sink.pass(outcomeIgnored, e.id, streamUpdatedEvent)
		s.setStatus(b.Status)
		return nil
	}, nil
}

func knownStatus(s string) bool { return s == "enabled" || s == "paused" || s == "disabled" }

// meansThis reports whether a subject may be this stream.
func (s *stream) meansThis(raw jsontext.Value) bool {
	of, ok := readSubject(raw)
	if !ok || of.format != "opaque" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config == nil || of.id == s.config.ID
}

func (s *stream) expects(state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.states, state)
}
