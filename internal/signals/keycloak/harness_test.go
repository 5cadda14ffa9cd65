package keycloak

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

// openAt returns a receiver for an issuer, and what it does.
func openAt(t testing.TB, issuer oauth.Config, change func(*Config), deps signals.Deps) (*Receiver,
	*transmitter.Ledger) {
	t.Helper()
	cfg, l := Config{ClientID: "orders-api", Algorithms: []string{"RS256"}}, &transmitter.Ledger{}
	if change != nil {
		change(&cfg)
	}
	deps.Evictor, deps.Metrics = l, l.Registry()
	deps = deps.WithDefaults()
	server, err := oauth.New(issuer, oauth.Deps{Needs: []oauth.Endpoint{oauth.JWKS}, Transport: deps.Transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	keys := signals.NewKeySet(issuer.Name, deps.Log, server.FetchKeys)
	t.Cleanup(keys.Close)
	return New(cfg, keys, signals.NewRecorder(issuer.Name, signals.KindKeycloak, deps)), l
}

func openFor(t testing.TB, p *transmitter.Server, change func(*Config)) (*Receiver, *transmitter.Ledger) {
	t.Helper()
	return openAt(t, transmitter.Issuer(t, p.URL), change, signals.Deps{})
}

// replay opens a receiver at the time of a recording.
func replay(t testing.TB, rec transmitter.Recording, at int64, change func(*Config)) (*Receiver, *transmitter.Ledger) {
	t.Helper()
	issuer := transmitter.Issuer(t, rec.Issuer)
	issuer.JWKSURI = rec.Issuer + "/jwks"
	return openAt(t, issuer, change, signals.Deps{
		Now: func() time.Time { return time.Unix(at, 0) }, Transport: transmitter.Transport(rec.Network),
	})
}

// post sends a message to a path below the admin URL.
func post(t testing.TB, h http.Handler, action, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.SetPathValue("action", action)
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
