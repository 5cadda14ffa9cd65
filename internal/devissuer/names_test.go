package devissuer_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

func TestAServerOnLoopbackAnswersToItsOwnNamesOnly(t *testing.T) {
	s, err := devissuer.New(devissuer.Config{Issuer: "https://login.acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewServer(s.Handler())
	defer at.Close()
	for _, c := range []struct {
		host, origin string
		want         int
	}{
		{"", "", 200}, {"localhost:1", "", 200}, {"login.acme.example", "", 200},
		{"login.acme.example", "https://login.acme.example", 200},
		{"evil.example", "", 421}, {"evil.example", "http://evil.example", 421},
		{"localhost", "http://evil.example", 421}, {"localhost", "null", 421},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", at.URL+"/jwks", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = c.host; c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("Host %q, Origin %q: answered %d, want %d", c.host, c.origin, resp.StatusCode, c.want)
		}
	}
}
