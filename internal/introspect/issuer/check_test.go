package issuer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// faults returns the keys that Check complains about, in order.
func faults(c Config) []string {
	var keys []string
	conf.Check(c, func(key, _, _ string) { keys = append(keys, key) })
	return keys
}

func TestCheckFindsNothingInAGoodConfiguration(t *testing.T) {
	c := testConfig(t, "https://as.example/introspect")
	if got := faults(c); got != nil {
		t.Errorf("faults %q", got)
	}
}

func TestCheckReportsEveryFaultAtOnce(t *testing.T) {
	c := Config{
		Endpoint: oauth.Config{
			Issuer: "as.example", IntrospectionEndpoint: "http://as.example", EndpointHosts: []string{"https://x", ""},
			Client: oauth.Client{Auth: "magic", BasicEncoding: "rot13", Secret: secret.Source{File: "a", Env: "b"}},
		},
		Dialect: dialect.Config{
			Dialect: "klingon", Audience: []string{""}, AbsentAudience: "perhaps", RefusedPrefixes: []string{""},
			Tenant: []string{"tid"}, Roles: []string{"/ok", "/~2"}, NotBeforeLeeway: time.Hour,
		},
		Cache: cache.Config{TTL: -1, NegativeTTL: 2 * time.Hour},
	}
	var got []string
	conf.Check(c, func(key, _, _ string) { got = append(got, key) })
	for _, want := range []string{
		"name", "issuer", "dialect", "introspection_endpoint", "endpoint_hosts[0]", "endpoint_hosts[1]",
		"client.auth", "client.basic_encoding", "client.id", "client.secret",
		"audience[0]", "absent_audience", "refused_prefixes[0]", "tenant[0]", "roles[1]", "not_before_leeway",
		"timeout", "cache.ttl", "cache.negative_ttl",
		"max_response_bytes", "max_in_flight", "cache.max_entries", "cache.max_bytes", "cache.negative_max_entries",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no fault at %s", want)
		}
	}
	if slices.Contains(got, "roles[0]") {
		t.Error("a fault at roles[0]")
	}
}

func TestINT4_HTTPIsForLoopbackOnlyAndOnlyWhenAllowed(t *testing.T) {
	for _, c := range []struct {
		url     string
		allowed bool
		good    bool
	}{
		{"https://as.example/i", false, true},
		{"http://127.0.0.1:8080/i", true, true},
		{"http://[::1]:8080/i", true, true},
		{"http://[::ffff:127.0.0.1]/i", true, true},
		{"http://LOCALHOST/i", true, true},
		{"http://127.0.0.1:8080/i", false, false},
		{"http://as.example/i", true, false},
		{"http://10.0.0.1/i", true, false},
		{"http://127.0.0.1.evil.example/i", true, false},
		{"ftp://127.0.0.1/i", true, false},
		{"/i", true, false},
		{"https:///i", true, false},
		{"https://user:pass@as.example/i", true, false},
		{"https://as.example/i#x", true, false},
		{"https://as.example/%zz", true, false},
	} {
		cfg := testConfig(t, c.url)
		cfg.Endpoint.AllowInsecureHTTP = c.allowed
		if got := faults(cfg); (len(got) == 0) != c.good {
			t.Errorf("%s (allowed %t): %q", c.url, c.allowed, got)
		}
		if strings.Contains(c.url, "%zz") || strings.Contains(c.url, "#") {
			continue
		}
		cfg.Endpoint.Issuer, cfg.Endpoint.IntrospectionEndpoint = c.url, ""
		if got := faults(cfg); (len(got) == 0) != c.good {
			t.Errorf("issuer %s (allowed %t): %q", c.url, c.allowed, got)
		}
	}
}

func TestCheckWantsAnIssuerOrAnEndpoint(t *testing.T) {
	if got := faults(testConfig(t, "")); !slices.Equal(got, []string{"introspection_endpoint"}) {
		t.Errorf("faults %q", got)
	}
}

func TestAnIssuerThatIsOnlyComparedMayBeHTTP(t *testing.T) {
	c := testConfig(t, "https://as.example/i")
	c.Endpoint.Issuer = "http://keycloak.internal/realms/a"
	if got := faults(c); got != nil {
		t.Errorf("faults %q", got)
	}
	c.Endpoint.Issuer += "?x"
	if got := faults(c); !slices.Equal(got, []string{"issuer"}) {
		t.Errorf("faults %q", got)
	}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	for name, change := range map[string]func(*Config, *Deps){
		"a fault of the configuration": func(c *Config, _ *Deps) { c.Endpoint.Name = "" },
		"a secret that is not there": func(c *Config,
			_ *Deps) {
			c.Endpoint.Client.Secret = secret.Source{File: "/nowhere/at/all"}
		},
		"no fingerprinter": func(_ *Config, d *Deps) { d.Fingerprints = nil },
	} {
		c, d := testConfig(t, "https://as.example/i"), Deps{Fingerprints: secret.NewFingerprinter()}
		change(&c, &d)
		if _, err := New(c, d); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestObserverAndLogMayBeLeftOut(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true}`))
	c := testConfig(t, u.URL)
	c.Cache.MaxEntries = 1
	i, err := New(c, Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	for _, tok := range []string{"a", "b"} {
		if _, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(tok)}); err != nil {
			t.Fatal(err)
		}
	}
}
