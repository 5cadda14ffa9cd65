// Package authserver runs the development authorization server for tests, and makes it fail.
package authserver

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// Start runs an authorization server on a free port of 127.0.0.1 until the end of the test. Its issuer is its URL.
func Start(t testing.TB, cfg devissuer.Config) *devissuer.Server {
	t.Helper()
	return StartAt(t, testkit.Listen(t), cfg)
}

// StartAt is Start on a listener.
func StartAt(t testing.TB, ln net.Listener, cfg devissuer.Config) *devissuer.Server {
	t.Helper()
	cfg.Issuer = devissuer.URL(ln)
	s, err := devissuer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// Issue makes a token.
func Issue(t testing.TB, s *devissuer.Server, g devissuer.Grant) string {
	t.Helper()
	token, err := s.Issue(g)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Answer is a fault that answers with a status, a content type (empty: JSON) and a body.
func Answer(status int, contentType, body string) *devissuer.Fault {
	return &devissuer.Fault{Then: devissuer.Answer, Status: status, ContentType: contentType, Body: []byte(body)}
}

// FailIntrospection makes every introspection request go wrong in the same way. Other requests are served as usual,
// and nil ends it.
func FailIntrospection(s *devissuer.Server, f *devissuer.Fault) {
	s.SetFault(func(r *http.Request) *devissuer.Fault {
		if !IsIntrospection(r) {
			return nil
		}
		return f
	})
}

// IsIntrospection reports whether a request is for the introspection endpoint.
func IsIntrospection(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/introspect") }
