// Package ssf receives security events by the OpenID Shared Signals Framework 1.0: CAEP and RISC events in security
// event tokens (RFC 8417), by HTTP push (RFC 8935) or poll (RFC 8936). It manages its stream at the transmitter, has
// it verified, and reports whether it works.
package ssf

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
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// Stream is one stream of security events. It is an http.Handler for pushed ones.
type Stream struct {
	cfg         Config
	sessions    string
	issuer      string   // name of the configured issuer
	issuers     []string // identifiers by which subjects name it
	transmitter *transmitterClient
	keys        *jose.KeySet
	server      *oauth.Server // of the transmitter, when that is not the issuer
	recorder    *signals.Recorder
	limiter     signals.Limiter
	log         *slog.Logger
	bearer      string            // the whole Authorization header of pushes; sent to the transmitter, never printed
	header      [sha256.Size]byte // its digest

	mu       sync.Mutex    // guards what follows
	config   *streamConfig // set by adopt; nil while the stream is not set up, and where it is not managed
	states   []string      // of verification requests without an event yet
	status   string
	problem  string
	state    string
	lastOK   time.Time
	verified time.Time
}

// Deps is what a Stream works with.
type Deps struct {
	// Issuer is the configured issuer, and Server how it is reached.
	Issuer oauth.Config
	Server *oauth.Server
	// Sessions is signals.SessionsKnown when the answers of the issuer name the session of a token.
	Sessions string
	Recorder *signals.Recorder
	// The rest is that of the receivers.
	signals.Deps
}

// New returns the Stream of cfg. It reads the secrets that cfg names and sends nothing.
func New(cfg Config, deps Deps) (*Stream, error) {
	issuer := deps.Issuer
	s := &Stream{
		cfg: cfg, sessions: deps.Sessions, issuer: issuer.Name, issuers: []string{issuer.Issuer},
		recorder: deps.Recorder, limiter: deps.Limiter, log: deps.Recorder.Log(),
	}
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
	other := cfg.Transmitter != "" && cfg.Transmitter != issuer.Issuer
	if other {
		issuer.Issuer = cfg.Transmitter
	}
	// An issuer identifier may be no URL. A transmitter needs one: its keys are found there, and access tokens are
	// sent.
	if !issuer.Discoverable() {
		return nil, fmt.Errorf("shared_signals.transmitter: %q is no https URL, which its configuration must be "+
			"read from",
			issuer.Issuer)
	}
	server := deps.Server
	if other {
		var err error
		if server, err = oauth.New(issuer, oauth.Deps{Log: deps.Log, Transport: deps.Transport}); err != nil {
			return nil, fmt.Errorf("shared_signals.transmitter: %w", err)
		}
		s.server = server
		s.issuers = append(s.issuers, cfg.Transmitter)
	}
	tokens := &tokenSource{cfg.AccessToken, oauth.NewTokenSource(deps.Server, cfg.Scope)}
	s.transmitter = newTransmitterClient(issuer.Issuer, server, tokens, issuer.Timeout)
	s.keys = signals.NewKeySet(issuer.Name, deps.Log, s.transmitter.fetchKeys)
	s.register(metrics.With(deps.Metrics, "issuer", s.issuer))
	return s, nil
}

// Pushed reports whether the transmitter pushes events.
func (s *Stream) Pushed() bool { return s.cfg.Delivery == deliveryPush }

// Close closes connections and ends fetches.
func (s *Stream) Close() {
	s.keys.Close()
	s.transmitter.close()
	if s.server != nil {
		s.server.Close()
	}
}

// audience is the accepted aud.
func (s *Stream) audience() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config == nil {
		return s.cfg.Audience
	}
	return slices.Concat(s.cfg.Audience, s.config.Audience)
}

// novelty says whether a token came before.
type novelty uint8

const (
	isNew novelty = iota
	isKnown
)

// receive verifies a security event token and puts it in force. It returns the identifier of the token, and a
// *setError when the token is not valid, or an *authz.Error when it should be sent again.
func (s *Stream) receive(ctx context.Context, raw string) (string, novelty, error) {
	m, err := s.transmitter.metadata(ctx)
	if err != nil {
		return "", isNew, err
	}
	v := verifier{
		issuer: s.transmitter.id, audience: s.audience(), algorithms: s.cfg.Algorithms, keys: s.keys,
		now: s.recorder.Now,
	}
	if len(v.audience) == 0 {
		return "", isNew, authz.Errorf(authz.Unavailable, "take event: the stream is not set up yet")
	}
	e, err := v.verify(ctx, raw)
	if err != nil {
		return "", isNew, err
	}
	if s.recorder.Seen(e.id) {
		s.recorder.Pass(signals.Duplicate, e.id, "")
		return e.id, isKnown, nil
	}
	subjects := subjectReader{issuers: s.issuers, sessions: s.sessions, critical: m.Critical}
	var steps []func() error
	for _, event := range e.types() { // all are read before one is put in force
		step, err := s.plan(e, event, subjects)
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
	s.recorder.Remember(e.id)
	return e.id, isNew, nil
}

// plan returns what puts one event of a token in force.
func (s *Stream) plan(e set, event string, subjects subjectReader) (func() error, error) {
	switch event {
	case verificationEvent:
		return s.planVerification(e)
	case streamUpdatedEvent:
		return s.planUpdate(e)
	}
	does, at, err := readEvent(event, e.events[event], e.at, s.recorder.Now())
	if err != nil {
		return nil, err
	}
	if does == noEffect {
		return func() error { s.recorder.Pass(signals.Ignored, e.id, printable(event)); return nil }, nil
	}
	revocations, err := subjects.read(e.subject)
	if err != nil { // the token is valid: sending it again would not help
		pass := func() error { s.recorder.Pass(signals.Unmatched, e.id, event); return nil }
		return pass, nil //nolint:nilerr // see above
	}
	for i := range revocations {
		revocations[i].At = at
		if event != sessionRevoked {
			revocations[i].OfSession = "" // the event is about more than the session in which it happened
		}
	}
	return func() error { return s.recorder.Evict(e.id, event, revocations) }, nil
}

// printable returns an event type that is not a known one as it may be logged.
func printable(event string) string {
	if !signals.IsIdentifier(event) || len(event) > 200 {
		return "other"
	}
	return event
}

// planVerification accepts the states that were sent, and none, which a transmitter may send on its own: SSF 1.0
// section 8.1.4.
func (s *Stream) planVerification(e set) (func() error, error) {
	var b struct {
		State *string `json:"state"`
	}
	if json.Unmarshal(e.events[verificationEvent], &b) != nil || !s.isSubject(e.subject) {
		return nil, &setError{codeRequest, "its verification event is malformed, or of another stream"}
	}
	if b.State != nil && !s.expects(*b.State) {
		return nil, &setError{codeState, "its verification event has a state that was never sent"}
	}
	return func() error {
		s.recorder.Pass(signals.Ignored, e.id, verificationEvent)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.verified = time.Now()
		if b.State != nil { // the events of other states may be on their way
			s.states = slices.DeleteFunc(s.states, func(sent string) bool { return sent == *b.State })
		}
		return nil
	}, nil
}

func (s *Stream) planUpdate(e set) (func() error, error) {
	var b struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(e.events[streamUpdatedEvent], &b) != nil || !s.isSubject(e.subject) || !isStatus(b.Status) {
		return nil, &setError{codeRequest, "its stream-updated event is malformed, or of another stream"}
	}
	return func() error {
		s.recorder.Pass(signals.Ignored, e.id, streamUpdatedEvent)
		s.setStatus(b.Status)
		return nil
	}, nil
}

func isStatus(s string) bool { return s == "enabled" || s == "paused" || s == "disabled" }

// isSubject reports whether the subject of an event about a stream can be this one.
func (s *Stream) isSubject(raw jsontext.Value) bool {
	of, ok := readSubject(raw)
	if !ok || of.format != "opaque" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config == nil || of.id == s.config.ID
}

func (s *Stream) expects(state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.states, state)
}
