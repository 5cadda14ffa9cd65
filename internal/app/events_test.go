package app

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"

	"github.com/authz-sidecar/sidecar/internal/signals/backchannel"
	"github.com/authz-sidecar/sidecar/internal/signals/keycloak"
	"github.com/authz-sidecar/sidecar/internal/signals/receivers"
	"github.com/authz-sidecar/sidecar/internal/signals/ssf"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// receiving makes a sidecar that takes logout tokens and Keycloak's messages, and polls a transmitter at the URL,
// which never answers.
func receiving(t *testing.T, transmitter string) func(*config.Config) {
	return func(c *config.Config) {
		one := conf.Default[receivers.Config]()
		one.Issuer = "dev"
		one.BackChannelLogout = backchannel.Config{Audience: []string{"web"}, Algorithms: []string{"RS256"}}
		one.KeycloakAdmin = keycloak.Config{ClientID: "sidecar", Algorithms: []string{"RS256"}}
		one.SharedSignals = ssf.Config{
			Delivery: "poll", Manage: "off", Transmitter: transmitter, Audience: []string{"sidecar/1"},
			Algorithms: []string{"RS256"},
			PollURL:    transmitter + "/poll", PollWait: 30 * time.Second, PollEvery: time.Second,
			DownAfter: 3 * time.Minute, DownTTL: 5 * time.Second,
		}
		one.SharedSignals.AccessToken = testkit.SecretFile(t, "stream-token\n")
		c.Events = []receivers.Config{one}
	}
}

func TestEventsAreToldOfInStatusAndMetricsAndStopWithTheApp(t *testing.T) {
	asked := make(chan struct{}, 100)
	transmitter := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer transmitter.Close()
	w := start(t, receiving(t, transmitter.URL))
	<-asked // a poll is under way
	code, body, err := w.exchange(context.Background(), "POST", w.admin+"/v1/events/dev/backchannel-logout",
		"logout_token=garbage")
	if err != nil || code != http.StatusBadRequest || !strings.Contains(body, "invalid_request") {
		t.Errorf("%d %s %v", code, body, err)
	}
	status := w.get(t, "/v1/status")
	for _, want := range []string{`"kind": "backchannel_logout"`, `"kind": "keycloak_admin"`,
		`"kind": "shared_signals"`, `"state": "down"`, `"refused": 1`} {
		if !strings.Contains(status, want) {
			t.Errorf("%s is not in %s", want, status)
		}
	}
	metrics := w.get(t, "/metrics")
	for _, want := range []string{
		`sidecar_events_received_total{issuer="dev",kind="backchannel_logout",outcome="refused"} 1`,
		`sidecar_events_received_total{issuer="dev",kind="keycloak_admin",outcome="evicted"} 0`,
		`sidecar_events_stream_up{issuer="dev"} 0`, `sidecar_events_stream_last_ok_timestamp_seconds{issuer="dev"} 0`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is not in the metrics", want)
		}
	}
	if err := w.stopped(t); err != nil {
		t.Error(err)
	}
	settled(t)
}

func TestCheckFindsEventsThatCannotBe(t *testing.T) {
	w := start(t, nil)
	cfg := *w.cfg
	receiving(t, "https://events.example")(&cfg)
	if _, _, err := Check(t.Context(), &cfg); err != nil {
		t.Error(err)
	}
	cfg.Events[0].SharedSignals.AccessToken.File = "/nowhere"
	if _, _, err := Check(t.Context(), &cfg); err == nil || !strings.Contains(err.Error(), "access_token") {
		t.Errorf("error %v", err)
	}
}
