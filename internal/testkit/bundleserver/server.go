// Package bundleserver is an HTTP server of bundles for tests, as OPA's are: ETag, If-None-Match, and long polling by
// Prefer. It can be made to fail in any way.
package bundleserver

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// mediaType says that long polling is understood.
const mediaType = "application/vnd.openpolicyagent.bundles"

// Server serves one bundle at every path.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	raw      []byte
	version  int
	changed  chan struct{} // closed at the next change
	fault    http.HandlerFunc
	requests []*http.Request
	waits    bool
}

// Start starts a server without a bundle, which answers 404, until the end of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{changed: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s.endsWith(t)
}

// StartTLS is Start over TLS, for clients whose certificates one of the authorities has signed.
func StartTLS(t testing.TB, own testkit.Certificate, clients *x509.CertPool) *Server {
	t.Helper()
	s := &Server{changed: make(chan struct{})}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{own.Certificate}, ClientCAs: clients,
		ClientAuth: tls.RequireAndVerifyClientCert,
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	return s.endsWith(t)
}

func (s *Server) endsWith(t testing.TB) *Server {
	t.Cleanup(func() {
		s.Fail(nil)
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// Serve makes the server have a bundle, with another ETag than before.
func (s *Server) Serve(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw, s.fault = raw, nil
	s.version++
	s.wake()
}

// Wait makes the server understand long polling.
func (s *Server) Wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = true
}

// Fail makes h answer every request, until Serve or until it is called with nil. It must end with the context of its
// request.
func (s *Server) Fail(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = h
	s.wake()
}

// wake answers the requests that wait. It is called with mu held.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Requests are the headers of all requests so far.
func (s *Server) Requests() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []http.Header
	for _, r := range s.requests {
		all = append(all, r.Header)
	}
	return all
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	fault, changed, tag, waits := s.fault, s.changed, s.tag(), s.waits
	s.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	if wait := waitOf(r); waits && wait > 0 && r.Header.Get("If-None-Match") == tag {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-changed:
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	raw, tag, fault := s.raw, s.tag(), s.fault
	s.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	if waits {
		w.Header().Set("Content-Type", mediaType)
	}
	w.Header().Set("ETag", tag)
	switch {
	case raw == nil:
		w.Header().Del("ETag")
		http.NotFound(w, r)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		_, _ = w.Write(raw)
	}
}

// tag is called with mu held.
func (s *Server) tag() string { return `"v` + strconv.Itoa(s.version) + `"` }

func waitOf(r *http.Request) time.Duration {
	_, text, _ := strings.Cut(r.Header.Get("Prefer"), "wait=")
	n, _ := strconv.Atoi(text)
	return time.Duration(n) * time.Second
}

// Packed is a bundle as an archive, of files by name.
func Packed(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var all []archive.File
	for name, text := range files {
		all = append(all, archive.File{Name: name, Raw: []byte(text)})
	}
	a, err := archive.New("test", all)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := archive.Write(&b, a); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}
