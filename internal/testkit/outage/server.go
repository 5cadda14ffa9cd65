package outage

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// Behaviour is what a Server does with questions.
type Behaviour uint8

// The behaviours.
const (
	// Healthy answers at once.
	Healthy Behaviour = iota
	// Slow answers late.
	Slow
	// Refusing takes no connections.
	Refusing
	// Hanging takes questions and answers none.
	Hanging
	// Flapping answers for half a second, and says 502 for half a second.
	Flapping
)

// String returns the name of b.
func (b Behaviour) String() string {
	switch b {
	case Healthy:
		return "healthy"
	case Slow:
		return "slow"
	case Refusing:
		return "refusing"
	case Hanging:
		return "hanging"
	case Flapping:
		return "flapping"
	}
	return "unknown"
}

// flap is how long a flapping server stays up, and down.
const flap = 500 * time.Millisecond

// Server is an introspection endpoint that misbehaves on demand. Tokens that begin with "good-" are active, others are
// not. It authenticates no client.
type Server struct {
	port      *testkit.Port
	slow      time.Duration
	behaviour atomic.Uint32
	active    sync.Map // tokens that it said were active

	inFlight, most atomic.Int64

	mu      sync.Mutex
	http    *http.Server // nil while it takes no connections
	serving sync.WaitGroup
}

// NewServer starts a healthy server on a port of the loopback address, until the end of the test. slow is how late it
// answers when it is Slow.
func NewServer(t testing.TB, slow time.Duration) *Server {
	t.Helper()
	s := &Server{port: testkit.HoldPort(t), slow: slow}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// URL is the introspection endpoint.
func (s *Server) URL() string { return "http://" + s.port.Addr() + "/introspect" }

// Become makes b the behaviour from now on. Questions under way end as they began, but for those of a server that
// takes no connections any more.
func (s *Server) Become(b Behaviour) error {
	s.behaviour.Store(uint32(b))
	if b == Refusing {
		s.stop()
		return nil
	}
	s.mu.Lock()
	up := s.http != nil
	s.mu.Unlock()
	if up {
		return nil
	}
	return s.start()
}

func (s *Server) start() error {
	ln, err := s.port.Listen()
	if err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(s.answer), ReadHeaderTimeout: time.Minute}
	s.mu.Lock()
	s.http = srv
	s.mu.Unlock()
	s.serving.Go(func() { _ = srv.Serve(ln) })
	return nil
}

// stop takes no more questions and cuts off those under way.
func (s *Server) stop() {
	s.mu.Lock()
	srv := s.http
	s.http = nil
	s.mu.Unlock()
	if srv != nil {
		_ = srv.Close()
	}
	s.serving.Wait()
}

// peakInFlight returns the greatest number of questions that were in flight at once since its last call.
func (s *Server) peakInFlight() int { return int(s.most.Swap(s.inFlight.Load())) }

// confirmed reports whether it ever said that a token is active.
func (s *Server) confirmed(token string) bool {
	_, ok := s.active.Load(token)
	return ok
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	now := s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	token := r.PostFormValue("token")
	switch Behaviour(s.behaviour.Load()) {
	case Slow:
		late := time.NewTimer(s.slow)
		defer late.Stop()
		select {
		case <-late.C:
		case <-r.Context().Done():
			return
		}
	case Hanging:
		<-r.Context().Done()
		return
	case Flapping:
		if time.Now().UnixMilli()/flap.Milliseconds()%2 == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
	case Healthy, Refusing:
	}
	body := `{"active":false}`
	if strings.HasPrefix(token, "good-") {
		s.active.Store(token, true)
		body = `{"active":true,"token_type":"Bearer","sub":"alice","client_id":"web","scope":"orders:read","aud":"orders-api","tenant":"acme"}`
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(body)) // a client that left needs no answer
}
