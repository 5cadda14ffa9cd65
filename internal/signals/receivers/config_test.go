package receivers

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/signals/ssf"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func TestCheckFindsEachFault(t *testing.T) {
	push := func(change func(*ssf.Config)) func(*Config) {
		return func(c *Config) {
			c.SharedSignals.Manage, c.SharedSignals.EndpointURL = "create", receiverURL
			change(&c.SharedSignals)
		}
	}
	polling := func(change func(*ssf.Config)) func(*Config) {
		return func(c *Config) {
			poll(c)
			change(&c.SharedSignals)
		}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		key    string // empty: no fault
	}{
		"as it is":     {func(*Config) {}, ""},
		"managed push": {push(func(*ssf.Config) {}), ""},
		"managed poll": {polling(func(*ssf.Config) {}), ""},
		"loopback push": {push(func(s *ssf.Config) {
			s.EndpointURL = "http://127.0.0.1:8282/v1/events/acme/shared-signals"
		}), ""},
		"no issuer":        {func(c *Config) { c.Issuer = "" }, "issuer"},
		"takes nothing":    {func(c *Config) { *c = conf.Default[Config](); c.Issuer = "acme" }, ""},
		"unknown sessions": {func(c *Config) { c.Sessions = "all" }, "sessions"},
		"no algorithms": {func(c *Config) { c.BackChannelLogout.Algorithms = nil },
			"backchannel_logout.algorithms"},
		"alg none": {func(c *Config) { c.BackChannelLogout.Algorithms = []string{"none"} },
			"backchannel_logout.algorithms[0]"},
		"shared secret": {func(c *Config) { c.SharedSignals.Algorithms = []string{"RS256", "HS256"} },
			"shared_signals.algorithms[1]"},
		"admin alg": {func(c *Config) { c.KeycloakAdmin.Algorithms = []string{"RS255"} },
			"keycloak_admin.algorithms[0]"},
		"unknown delivery": {func(c *Config) { c.SharedSignals.Delivery = "pigeon" }, "shared_signals.delivery"},
		"push without header": {func(c *Config) { c.SharedSignals.Authorization = secret.Source{} },
			"shared_signals.authorization"},
		"poll with header": {polling(func(s *ssf.Config) { s.Authorization.Env = "X" }),
			"shared_signals.authorization"},
		"push to nowhere": {push(func(s *ssf.Config) { s.EndpointURL = "" }), "shared_signals.endpoint_url"},
		"push in the clear": {push(func(s *ssf.Config) { s.EndpointURL = "http://sidecar.example/" }),
			"shared_signals.endpoint_url"},
		"by hand without aud": {func(c *Config) { c.SharedSignals.Audience = nil }, "shared_signals.audience"},
		"by hand without URL": {polling(func(s *ssf.Config) { s.Manage, s.Audience = "off", []string{"x"} }),
			"shared_signals.poll_url"},
		"poll in the clear": {polling(func(s *ssf.Config) {
			s.Manage, s.Audience, s.PollURL = "off", []string{"x"}, "http://as.example/poll"
		}), "shared_signals.poll_url"},
		"managed with URL": {polling(func(s *ssf.Config) { s.PollURL = "https://as.example/poll" }),
			"shared_signals.poll_url"},
		"no description": {push(func(s *ssf.Config) { s.Description = "" }), "shared_signals.description"},
		"verified all the time": {push(func(s *ssf.Config) { s.VerifyEvery = time.Millisecond }),
			"shared_signals.verify_every"},
		"down before verified": {push(func(s *ssf.Config) { s.DownAfter = s.VerifyEvery }),
			"shared_signals.down_after"},
		"down before polled": {polling(func(s *ssf.Config) { s.DownAfter = s.PollWait }),
			"shared_signals.down_after"},
		"down between polls": {polling(func(s *ssf.Config) { s.PollEvery = s.DownAfter }),
			"shared_signals.down_after"},
	} {
		cfg := testConfig(t)
		c.change(&cfg)
		var keys []string
		conf.Check(cfg, func(key, cause, _ string) { keys = append(keys, key) })
		want := []string{c.key}
		if c.key == "" && name != "takes nothing" {
			want = nil
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%s: faults in %q, want %q", name, keys, want)
		}
	}
}

func TestNewTellsAllFaultsAtOnce(t *testing.T) {
	issuer := transmitter.Issuer(t, "https://as.example")
	nameless := transmitter.Issuer(t, "")
	nameless.Name, nameless.IntrospectionEndpoint = "nameless", "https://as.example/introspect"
	good, unknown, without := testConfig(t), testConfig(t), testConfig(t)
	unknown.Issuer, without.Issuer = "unknown", "nameless"
	_, err := New([]Config{good, good, unknown, without}, []oauth.Config{issuer, nameless}, signals.Deps{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no evictor", "named twice", `"unknown": issuer: no issuer of this name`,
		`"nameless": issuer: it has no issuer identifier`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestAClientThatGetsNoTokensNeedsAConfiguredOne(t *testing.T) {
	issuer := transmitter.Issuer(t, "https://as.example")
	issuer.Client.Auth = "bearer"
	cfg := testConfig(t)
	poll(&cfg)
	if _, err := New([]Config{cfg}, []oauth.Config{issuer},
		signals.Deps{Evictor: &transmitter.Ledger{}}); err == nil || !strings.Contains(err.Error(), "access_token") {
		t.Errorf("error %v", err)
	}
	cfg.SharedSignals.AccessToken = testkit.SecretFile(t, "at")
	rs, err := New([]Config{cfg}, []oauth.Config{issuer}, signals.Deps{Evictor: &transmitter.Ledger{}})
	if err != nil {
		t.Fatal(err)
	}
	rs.Close()
}

func TestINT4_ATransmitterIsNotReachedInTheClear(t *testing.T) {
	issuer := transmitter.Issuer(t, "https://as.example")
	issuer.AllowInsecureHTTP, issuer.IntrospectionEndpoint = false, "https://as.example/introspect"
	named := issuer
	named.Issuer = "http://as.example" // a name to compare is all that it is to introspection
	for name, c := range map[string]struct {
		issuer      oauth.Config
		transmitter string
	}{
		"a transmitter": {issuer, "http://ssf.example"},
		"the issuer":    {named, ""},
		"no URL":        {issuer, "ssf:example"},
	} {
		cfg := testConfig(t)
		cfg.SharedSignals.Transmitter = c.transmitter
		rs, err := New([]Config{cfg}, []oauth.Config{c.issuer}, signals.Deps{Evictor: &transmitter.Ledger{}})
		if err == nil {
			rs.Close()
			t.Errorf("%s: taken", name)
		} else if !strings.Contains(err.Error(), "shared_signals.transmitter") {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := testConfig(t)
	cfg.SharedSignals.Delivery = "none"
	rs, err := New([]Config{cfg}, []oauth.Config{named}, signals.Deps{Evictor: &transmitter.Ledger{}})
	if err != nil {
		t.Fatalf("without a stream: %v", err)
	}
	rs.Close()
}

// poll makes the stream a managed one that is polled.
func poll(cfg *Config) {
	cfg.SharedSignals.Delivery, cfg.SharedSignals.Manage = "poll", "create"
	cfg.SharedSignals.Authorization = secret.Source{}
}
