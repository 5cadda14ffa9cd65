package receivers

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/signals/backchannel"
	"github.com/authz-sidecar/sidecar/internal/signals/keycloak"
	"github.com/authz-sidecar/sidecar/internal/signals/ssf"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

const (
	testHeader  = "Bearer the-stream-shows-this"
	testClient  = "orders-web"
	receiverURL = "https://sidecar.example/v1/events/acme/shared-signals"
)

// testConfig receives signals of every kind.
func testConfig(t testing.TB) Config {
	return Config{
		Issuer:            transmitter.Name,
		BackChannelLogout: backchannel.Config{Audience: []string{testClient}, Algorithms: []string{"RS256"}},
		KeycloakAdmin:     keycloak.Config{ClientID: "orders-api", Algorithms: []string{"RS256"}},
		SharedSignals: ssf.Config{
			Delivery: "push", Manage: "off", Audience: []string{transmitter.StreamAudience},
			Algorithms:  []string{"RS256"},
			Description: "sidecar", Authorization: testkit.SecretFile(t, testHeader),
			Scope:    []string{"ssf.read", "ssf.manage"},
			PollWait: 2 * time.Second, PollEvery: 100 * time.Millisecond, VerifyEvery: time.Second,
			DownAfter: 4 * time.Second, DownTTL: 5 * time.Second,
		},
	}
}

// openAt builds the receivers of one issuer.
func openAt(t testing.TB, issuer oauth.Config, cfg Config, deps signals.Deps) (*Receivers, *transmitter.Ledger) {
	t.Helper()
	l := &transmitter.Ledger{}
	deps.Evictor, deps.Limiter, deps.Metrics = l, l, l.Registry()
	deps.Log = slog.New(slog.NewTextHandler(l, nil))
	rs, err := New([]Config{cfg}, []oauth.Config{issuer}, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rs.Close)
	return rs, l
}

func openFor(t testing.TB, p *transmitter.Server, change func(*Config)) (*Receivers, *transmitter.Ledger) {
	t.Helper()
	cfg := testConfig(t)
	if change != nil {
		change(&cfg)
	}
	return openAt(t, transmitter.Issuer(t, p.URL), cfg, signals.Deps{})
}

// post sends a body to a path of rs.
func post(t testing.TB, rs http.Handler, path, contentType, authorization, body string) *httptest.ResponseRecorder {
	t.Helper()
	return transmitter.Post(t, rs, "/v1/events/"+transmitter.Name+"/"+path, body,
		map[string]string{"Content-Type": contentType, "Authorization": authorization})
}

func postLogout(t testing.TB, rs http.Handler, tok string) *httptest.ResponseRecorder {
	t.Helper()
	form := url.Values{"logout_token": {tok}}
	return post(t, rs, "backchannel-logout", "application/x-www-form-urlencoded", "", form.Encode())
}

func postSet(t testing.TB, rs http.Handler, tok string) *httptest.ResponseRecorder {
	t.Helper()
	return post(t, rs, "shared-signals", "application/secevent+jwt", testHeader, tok)
}
