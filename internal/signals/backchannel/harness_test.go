package backchannel

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

const testClient = "orders-web"

func testConfig() Config {
	return Config{Audience: []string{testClient}, Algorithms: []string{"RS256"}}
}

// openWith returns a receiver for an issuer, and what it does.
func openWith(t testing.TB, issuer oauth.Config, cfg Config, sessions string, deps signals.Deps) (*Receiver,
	*transmitter.Ledger, error) {
	t.Helper()
	l := &transmitter.Ledger{}
	deps.Evictor, deps.Metrics, deps.Log = l, l.Registry(), slog.New(slog.NewTextHandler(l, nil))
	deps = deps.WithDefaults()
	server, err := oauth.New(issuer, oauth.Deps{Needs: []oauth.Endpoint{oauth.JWKS}, Transport: deps.Transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	keys := signals.NewKeySet(issuer.Name, deps.Log, server.FetchKeys)
	t.Cleanup(keys.Close)
	r, err := New(cfg, Deps{
		Issuer: issuer.Issuer, Sessions: sessions, Keys: keys,
		Recorder: signals.NewRecorder(issuer.Name, signals.KindLogout, deps),
	})
	return r, l, err
}

func openFor(t testing.TB, p *transmitter.Server, change func(*Config)) (*Receiver, *transmitter.Ledger) {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	r, l, err := openWith(t, transmitter.Issuer(t, p.URL), cfg, "unknown", signals.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return r, l
}

// replay opens a receiver at the time of a recording.
func replay(t testing.TB, rec transmitter.Recording, at int64, change func(*Config)) (*Receiver, *transmitter.Ledger) {
	t.Helper()
	issuer, cfg := transmitter.Issuer(t, rec.Issuer), testConfig()
	issuer.JWKSURI = rec.Issuer + "/jwks"
	if change != nil {
		change(&cfg)
	}
	r, l, err := openWith(t, issuer, cfg, "unknown", signals.Deps{
		Now: func() time.Time { return time.Unix(at, 0) }, Transport: transmitter.Transport(rec.Network),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, l
}

func post(t testing.TB, h http.Handler, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	return transmitter.Post(t, h, "/", body, map[string]string{"Content-Type": contentType})
}

func postLogout(t testing.TB, h http.Handler, tok string) *httptest.ResponseRecorder {
	t.Helper()
	return post(t, h, "application/x-www-form-urlencoded", url.Values{"logout_token": {tok}}.Encode())
}
