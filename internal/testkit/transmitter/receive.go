package transmitter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Run runs a receiver until the test ends.
func Run(t testing.TB, receiver interface{ Run(ctx context.Context) }) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); receiver.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// Post sends a body to a receiver. Fields without a value are left out.
func Post(t testing.TB, h http.Handler, path, body string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	for name, value := range header {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
