// Package devissuer is a small, real OAuth authorization server for development and tests: client_credentials tokens,
// introspection, revocation, metadata and keys over HTTP. It keeps everything in memory, never logs, and is never
// started in production.
package devissuer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

const (
	maxBody   = 64 << 10
	maxHeader = 64 << 10
	// grace is how long Serve lets requests finish before it cuts them off.
	grace = 500 * time.Millisecond
)

// Server is one authorization server. It is safe for concurrent use.
type Server struct {
	issuer  string
	ttl     time.Duration
	latency time.Duration

	clients map[string]*party // may ask for tokens and revoke
	callers map[string]*party // may introspect: clients and resource servers
	tokens  *store
	names   httpuri.Names // hosts that requests may name
	keys    *keys
	handler http.Handler

	// introspection is the path of the endpoint whose calls are counted.
	introspection string
	calls         atomic.Int64
	fault         atomic.Pointer[func(*http.Request) *Fault]
}

// New builds a server with a fresh signing key. Its error joins every problem of cfg.
func New(cfg Config) (*Server, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	if cfg.TokenTTL == 0 {
		cfg.TokenTTL = defaultTTL
	}
	if cfg.MaxTokens == 0 {
		cfg.MaxTokens = defaultMaxTokens
	}
	k, err := newKeys()
	if err != nil {
		return nil, err
	}
	s := &Server{
		issuer: cfg.Issuer, ttl: cfg.TokenTTL, latency: cfg.Latency,
		clients: map[string]*party{}, callers: map[string]*party{},
		tokens: newStore(cfg.MaxTokens), keys: k, names: ownNames(cfg.Issuer),
	}
	for _, c := range cfg.Clients {
		p := newParty(c.ID, c.Secret)
		p.client = c
		s.clients[c.ID], s.callers[c.ID] = p, p
	}
	for _, rs := range cfg.ResourceServers {
		p := newParty(rs.ID, rs.Secret)
		p.audience = rs.Audience
		s.callers[rs.ID] = p
	}
	if err := s.mount(); err != nil {
		return nil, err
	}
	return s, nil
}

// Issuer is the issuer identifier: the URL under which the server expects to be reached.
func (s *Server) Issuer() string { return s.issuer }

// Calls is the number of requests to the introspection endpoint, whatever their answers were.
func (s *Server) Calls() int { return int(s.calls.Load()) }

// Handler serves the endpoints, for a server of the caller's own such as httptest's. It must be mounted at the root.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.admit) }

// Serve answers on ln until ctx ends, lets requests finish for half a second, cuts off the rest, and returns when
// none is left. It closes ln. Nil means that ctx ended; an error that ln failed before.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	// Requests outlive ctx by the grace period, and no longer.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var conns sync.WaitGroup
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed:
				conns.Done()
			}
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()

	var err error
	select {
	case cause := <-failed:
		err = fmt.Errorf("serve development issuer on %q: %v", ln.Addr(), cause)
	case <-ctx.Done():
		patience, stop := context.WithTimeout(base, grace)
		_ = srv.Shutdown(patience) // the only error is that patience ran out
		stop()
		if cause := <-failed; !errors.Is(cause, http.ErrServerClosed) {
			err = fmt.Errorf("serve development issuer on %q: %v", ln.Addr(), cause)
		}
	}
	cancel()
	_ = srv.Close()
	conns.Wait()
	return err
}

// mount puts the endpoints below the path of the issuer.
func (s *Server) mount() error {
	u, err := url.Parse(s.issuer)
	if err != nil {
		return fmt.Errorf("configure issuer: %v", err)
	}
	metadata, err := s.metadata()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	// RFC 8414 section 3 puts the well-known name before the path of the issuer, OpenID Connect after it.
	mux.Handle("GET /.well-known/oauth-authorization-server"+u.Path, document(metadata))
	mux.Handle("GET "+u.Path+"/.well-known/openid-configuration", document(metadata))
	mux.Handle("GET "+u.Path+"/jwks", document(s.keys.public))
	mux.Handle("POST "+u.Path+"/token", endpoint(s.clients, s.token))
	mux.Handle("POST "+u.Path+"/revoke", endpoint(s.clients, s.revoke))
	s.introspection = u.Path + "/introspect"
	mux.Handle("POST "+s.introspection, endpoint(s.callers, s.introspect))
	s.handler = mux
	return nil
}

// admit reads the whole request, within its bound, before anything else: net/http notices a client that leaves only
// after the body was read, and that ends a delay.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) {
	if err := s.names.Check(r); err != nil {
		refuse(w, &problem{status: http.StatusMisdirectedRequest, code: "invalid_request", description: err.Error()})
		return
	}
	if r.URL.Path == s.introspection {
		s.calls.Add(1)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		refuse(w, &problem{status: http.StatusRequestEntityTooLarge, code: "invalid_request",
			description: "the body is too large"})
		return
	}
	if err != nil {
		refuse(w, invalidRequest("the body cannot be read"))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if f := s.faultFor(r); f != nil && f.inject(w, r) {
		return
	}
	r.Body, r.Form, r.PostForm = io.NopCloser(bytes.NewReader(body)), nil, nil // the fault may have read them
	s.handler.ServeHTTP(w, r)
}

// ownNames are those of a server on loopback, and of an issuer that is elsewhere.
func ownNames(issuer string) httpuri.Names {
	var hosts []string
	if u, err := url.Parse(issuer); err == nil && !httpuri.Loopback(u.Hostname()) {
		hosts = append(hosts, u.Hostname())
	}
	return httpuri.NewNames("127.0.0.1:0", hosts)
}

// document serves a JSON document that never changes.
func document(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // a client that left needs no answer
	}
}
