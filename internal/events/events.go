// Package events receives word that tokens are over, and has what is known about them forgotten: back-channel logout of
// OpenID Connect, Shared Signals (CAEP and RISC events, pushed or polled), and what Keycloak posts to an admin URL.
//
// An event evicts: the issuer is asked again, and what it says counts where its answer can tell; else the event ends the
// token (package introspect). Each is taken only when its sender signed it and meant us.
package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// Evictor forgets what is known about tokens. It returns how many answers it gave up; an error means that the revocation
// is not in force.
type Evictor interface {
	Evict(r authz.Revocation) (int, error)
}

// Limiter bounds how long answers of an issuer are used, on top of its own lifetimes; 0 lifts the bound.
type Limiter interface {
	Limit(issuer string, lifetime time.Duration)
}

// Observer counts events. Kinds are those of Kinds, outcomes those of Outcomes.
type Observer interface {
	Received(issuer, kind, outcome string)
}

// Kinds lists the ways an event can come.
func Kinds() []string { return []string{kindLogout, kindSignals, kindKeycloak} }

// Outcomes lists what can become of an event: it evicted; it was taken and means nothing to us; it named nobody that we
// could know; it had come before; it was bad; or nobody could tell, and it should come again.
func Outcomes() []string {
	return []string{outcomeEvicted, outcomeIgnored, outcomeUnmatched, outcomeDuplicate, outcomeRefused, outcomeUnavailable}
}

const (
	kindLogout   = "backchannel_logout"
	kindSignals  = "shared_signals"
	kindKeycloak = "keycloak_admin"

	outcomeEvicted     = "evicted"
	outcomeIgnored     = "ignored"
	outcomeUnmatched   = "unmatched"
	outcomeDuplicate   = "duplicate"
	outcomeRefused     = "refused"
	outcomeUnavailable = "unavailable"
)

// Deps is what Receivers need from the rest of the program.
type Deps struct {
	// Evictor is required.
	Evictor Evictor
	// Limiter, Observer and Log may be nil.
	Limiter  Limiter
	Observer Observer
	Log      *slog.Logger
	// Now is the clock that claims are compared with; nil is time.Now.
	Now func() time.Time
	// Transport replaces the network when it is not nil.
	Transport http.RoundTripper
}

// Receivers take the events about all issuers. They are an http.Handler for /v1/events/ whose paths need no key of a
// caller: each event shows by itself who sent it.
type Receivers struct {
	sources []*source
	mux     *http.ServeMux
}

// source is one issuer and the ways word comes from it.
type source struct {
	server *oauth.Server
	keys   *jose.KeySet
	sinks  []*sink
	logout *logout // the three are nil when they are off
	admin  *admin
	stream *stream
}

// New builds the receivers of cfgs. issuers are the configured issuers, by whose names cfgs refer to them. It reads the
// secrets that are named and asks nobody. The error lists all faults.
func New(cfgs []Config, issuers []oauth.Config, deps Deps) (*Receivers, error) {
	if deps.Observer == nil {
		deps.Observer = blind{}
	}
	if deps.Limiter == nil {
		deps.Limiter = blind{}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	rs := &Receivers{mux: http.NewServeMux()}
	var errs []error
	if deps.Evictor == nil {
		errs = append(errs, errors.New("set up events: no evictor is given"))
	}
	byName := map[string]*source{}
	for _, cfg := range cfgs {
		s, err := open(cfg, issuers, deps)
		if _, twice := byName[cfg.Issuer]; twice && err == nil {
			s.close()
			err = fmt.Errorf("set up events of issuer %q: it is named twice", cfg.Issuer)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		byName[cfg.Issuer] = s
		rs.sources = append(rs.sources, s)
	}
	if err := errors.Join(errs...); err != nil {
		rs.Close()
		return nil, err
	}
	rs.route(byName)
	return rs, nil
}

func open(cfg Config, issuers []oauth.Config, deps Deps) (_ *source, err error) {
	wrap := func(err error) error { return fmt.Errorf("set up events of issuer %q: %w", cfg.Issuer, err) }
	var faults []error
	cfg.Check(func(key, cause, _ string) { faults = append(faults, fmt.Errorf("%s: %s", key, cause)) })
	var issuer *oauth.Config
	for _, i := range issuers {
		if i.Name == cfg.Issuer {
			issuer = &i
		}
	}
	switch {
	case issuer == nil:
		faults = append(faults, errors.New("issuer: no issuer of this name is configured"))
	case issuer.Issuer == "":
		faults = append(faults, errors.New("issuer: it has no issuer identifier, so nobody can tell whose events these are"))
	}
	if len(faults) > 0 {
		return nil, wrap(errors.Join(faults...))
	}
	s := &source{}
	if s.server, err = newServer(*issuer, cfg.SharedSignals, deps); err != nil {
		return nil, wrap(err)
	}
	s.keys = jose.NewKeySet(jose.KeySetConfig{Name: cfg.Issuer, Log: deps.Log, Fetch: s.server.FetchKeys, MostWaiting: mostWaiting, LongestWait: longestWait})
	sinkOf := func(kind string) *sink {
		k := newSink(cfg.Issuer, kind, deps)
		s.sinks = append(s.sinks, k)
		return k
	}
	if len(cfg.BackChannelLogout.Audience) > 0 {
		s.logout = &logout{cfg: cfg.BackChannelLogout, sessions: cfg.Sessions, issuer: issuer.Issuer, keys: s.keys, sink: sinkOf(kindLogout)}
		c := cfg.BackChannelLogout
		if s.logout.decrypter, err = jose.NewDecrypter(c.DecryptionKey, c.EncryptionAlgorithms, c.EncryptionEncodings); err != nil {
			s.close()
			return nil, wrap(fmt.Errorf("backchannel_logout.decryption_key: %w", err))
		}
	}
	if cfg.KeycloakAdmin.ClientID != "" {
		s.admin = &admin{cfg: cfg.KeycloakAdmin, keys: s.keys, sink: sinkOf(kindKeycloak)}
	}
	if cfg.SharedSignals.on() {
		if s.stream, err = newStream(cfg, *issuer, s.server, sinkOf(kindSignals), deps); err != nil {
			s.close()
			return nil, wrap(err)
		}
	}
	return s, nil
}

// newServer reaches the issuer, over connections of its own: polls that wait must not take those that questions need.
func newServer(issuer oauth.Config, c SharedSignals, deps Deps) (*oauth.Server, error) {
	needs := []oauth.Endpoint{oauth.JWKS}
	if c.on() && c.usesGrant() {
		needs = append(needs, oauth.TokenEndpoint)
		if !issuer.Client.CanGetToken() {
			return nil, fmt.Errorf("shared_signals.access_token: is needed, for client.auth %s gets no token", issuer.Client.Auth)
		}
	}
	return oauth.New(issuer, oauth.Deps{Needs: needs, Log: deps.Log, Transport: deps.Transport})
}

const (
	// Strangers can send events of keys that are not known, and a good one may come only once: few wait for long.
	mostWaiting = 64
	longestWait = 10 * time.Second
)

// route makes the paths below /v1/events/.
func (rs *Receivers) route(byName map[string]*source) {
	to := func(choose func(*source) http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if s, ok := byName[r.PathValue("name")]; ok {
				if h := choose(s); h != nil {
					h.ServeHTTP(w, r)
					return
				}
			}
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "no such receiver is configured", http.StatusNotFound)
		}
	}
	rs.mux.HandleFunc("POST /v1/events/{name}/backchannel-logout", to(func(s *source) http.Handler {
		if s.logout == nil {
			return nil
		}
		return s.logout
	}))
	rs.mux.HandleFunc("POST /v1/events/{name}/shared-signals", to(func(s *source) http.Handler {
		if s.stream == nil || s.stream.cfg.Delivery != deliveryPush {
			return nil
		}
		return http.HandlerFunc(s.stream.push)
	}))
	rs.mux.HandleFunc("POST /v1/events/{name}/keycloak/{action}", to(func(s *source) http.Handler {
		if s.admin == nil {
			return nil
		}
		return s.admin
	}))
}

func (rs *Receivers) ServeHTTP(w http.ResponseWriter, r *http.Request) { rs.mux.ServeHTTP(w, r) }

// Run keeps the streams going until ctx ends, and returns when all that it started has. It fetches the keys of those who
// send a message once and never again: the first must not be lost, nor be late, for want of them.
func (rs *Receivers) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, s := range rs.sources {
		if s.logout != nil || s.admin != nil {
			running.Go(func() { s.keys.Warm(ctx) })
		}
		if s.stream != nil {
			running.Go(func() { s.stream.run(ctx) })
		}
	}
	running.Wait()
}

// Status lists every way in which events come.
func (rs *Receivers) Status() []Status {
	var all []Status
	for _, s := range rs.sources {
		for _, k := range s.sinks {
			st := k.status()
			if s.stream != nil && s.stream.sink == k {
				s.stream.describe(&st)
			}
			all = append(all, st)
		}
	}
	return all
}

// Close closes connections and gives up fetches of keys. Events that are being taken end as unavailable.
func (rs *Receivers) Close() {
	for _, s := range rs.sources {
		s.close()
	}
}

func (s *source) close() {
	if s.stream != nil {
		s.stream.close()
	}
	s.keys.Close()
	s.server.Close()
}

// blind observes and limits nothing.
type blind struct{}

func (blind) Received(string, string, string) {}
func (blind) Limit(string, time.Duration)     {}
