// Package receivers builds the receivers of revocation signals of every issuer, serves their paths, and keeps their
// streams working.
package receivers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/signals/backchannel"
	"github.com/authz-sidecar/sidecar/internal/signals/keycloak"
	"github.com/authz-sidecar/sidecar/internal/signals/ssf"
)

// Receivers receive the signals about all issuers. They are an http.Handler for /v1/events/. Its paths need no caller
// key, because each signal is authenticated by itself.
type Receivers struct {
	sources []*source
	mux     *http.ServeMux
}

// source is the receivers of one issuer; those that are off are nil.
type source struct {
	server   *oauth.Server
	keys     *jose.KeySet
	logout   *backchannel.Receiver
	keycloak *keycloak.Receiver
	stream   *ssf.Stream
}

// New builds the receivers of cfgs. issuers are the configured issuers, which cfgs name. It reads the secrets that are
// named and sends nothing. The error lists all problems.
func New(cfgs []Config, issuers []oauth.Config, deps signals.Deps) (*Receivers, error) {
	deps = deps.WithDefaults()
	rs := &Receivers{mux: http.NewServeMux()}
	var errs []error
	if deps.Evictor == nil {
		errs = append(errs, errors.New("set up events: no evictor is given"))
	}
	byName := map[string]*source{}
	for _, cfg := range cfgs {
		var s *source
		err := errors.New("it is named twice")
		if _, twice := byName[cfg.Issuer]; !twice {
			s, err = open(cfg, issuers, deps)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("set up events of issuer %q: %w", cfg.Issuer, err))
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

// open builds the receivers of one issuer.
func open(cfg Config, issuers []oauth.Config, deps signals.Deps) (s *source, err error) {
	issuer, err := issuerNamed(cfg.Issuer, issuers)
	if err := errors.Join(conf.Validate(cfg), err); err != nil {
		return nil, err
	}
	s = &source{}
	if s.server, err = newServer(issuer, cfg.SharedSignals, deps); err != nil {
		return nil, err
	}
	s.keys = signals.NewKeySet(cfg.Issuer, deps.Log, s.server.FetchKeys)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if cfg.BackChannelLogout.On() {
		s.logout, err = backchannel.New(cfg.BackChannelLogout, backchannel.Deps{
			Issuer: issuer.Issuer, Sessions: cfg.Sessions, Keys: s.keys,
			Recorder: signals.NewRecorder(cfg.Issuer, signals.KindLogout, deps),
		})
		if err != nil {
			return s, err
		}
	}
	if cfg.KeycloakAdmin.On() {
		recorder := signals.NewRecorder(cfg.Issuer, signals.KindKeycloak, deps)
		s.keycloak = keycloak.New(cfg.KeycloakAdmin, s.keys, recorder)
	}
	if cfg.SharedSignals.On() {
		s.stream, err = ssf.New(cfg.SharedSignals, ssf.Deps{
			Issuer: issuer, Server: s.server, Sessions: cfg.Sessions, Deps: deps,
			Recorder: signals.NewRecorder(cfg.Issuer, signals.KindSharedSignals, deps),
		})
	}
	return s, err
}

func issuerNamed(name string, issuers []oauth.Config) (oauth.Config, error) {
	for _, i := range issuers {
		switch {
		case i.Name != name:
		case i.Issuer == "":
			return i, errors.New("issuer: it has no issuer identifier, by which its events are recognised")
		default:
			return i, nil
		}
	}
	return oauth.Config{}, errors.New("issuer: no issuer of this name is configured")
}

// newServer reaches the issuer over connections of its own, because long polls must not occupy those of introspection.
func newServer(issuer oauth.Config, c ssf.Config, deps signals.Deps) (*oauth.Server, error) {
	needs := []oauth.Endpoint{oauth.JWKS}
	if c.On() && c.NeedsGrant() {
		needs = append(needs, oauth.TokenEndpoint)
		if !issuer.Client.CanGetToken() {
			return nil, fmt.Errorf("shared_signals.access_token: is needed, for client.auth %s gets no token",
				issuer.Client.Auth)
		}
	}
	return oauth.New(issuer, oauth.Deps{Needs: needs, Log: deps.Log, Transport: deps.Transport})
}

// route registers the paths below /v1/events/.
func (rs *Receivers) route(byName map[string]*source) {
	handle := func(path string, handler func(*source) (h http.Handler, on bool)) {
		rs.mux.HandleFunc("POST /v1/events/{name}/"+path, func(w http.ResponseWriter, r *http.Request) {
			if s, ok := byName[r.PathValue("name")]; ok {
				if h, on := handler(s); on {
					h.ServeHTTP(w, r)
					return
				}
			}
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "no such receiver is configured", http.StatusNotFound)
		})
	}
	handle("backchannel-logout", func(s *source) (http.Handler, bool) { return s.logout, s.logout != nil })
	handle("shared-signals", func(s *source) (http.Handler, bool) {
		return s.stream,
			s.stream != nil && s.stream.Pushed()
	})
	handle("keycloak/{action}", func(s *source) (http.Handler, bool) { return s.keycloak, s.keycloak != nil })
}

func (rs *Receivers) ServeHTTP(w http.ResponseWriter, r *http.Request) { rs.mux.ServeHTTP(w, r) }

// Run keeps the streams working until ctx ends, and returns when all that it started has ended. It fetches the keys of
// senders that send a signal once: the first signal would otherwise wait for keys, or be lost.
func (rs *Receivers) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, s := range rs.sources {
		if s.logout != nil || s.keycloak != nil {
			running.Go(func() { s.keys.Warm(ctx) })
		}
		if s.stream != nil {
			running.Go(func() { s.stream.Run(ctx) })
		}
	}
	running.Wait()
}

// Status lists the state of every receiver.
func (rs *Receivers) Status() []signals.Status {
	var all []signals.Status
	for _, s := range rs.sources {
		if s.logout != nil {
			all = append(all, s.logout.Status())
		}
		if s.keycloak != nil {
			all = append(all, s.keycloak.Status())
		}
		if s.stream != nil {
			all = append(all, s.stream.Status())
		}
	}
	return all
}

// Close closes connections and ends fetches of keys. Signals under way end as unavailable.
func (rs *Receivers) Close() {
	for _, s := range rs.sources {
		s.close()
	}
}

func (s *source) close() {
	if s.stream != nil {
		s.stream.Close()
	}
	s.keys.Close()
	s.server.Close()
}
