package forwardauth_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
)

// from is the source of the request that a check with these values is decided as.
func from(t *testing.T, cfg forwardauth.Config, header string) string {
	t.Helper()
	w := serve(t, cfg, allowing)
	var lines []string
	for _, line := range checks[cfg.Profile] {
		if !strings.HasPrefix(line, "X-Forwarded-For:") && !strings.HasPrefix(line, "X-Original-For:") {
			lines = append(lines, line)
		}
	}
	w.check(t, append(lines, header)...)
	_, source, found := strings.Cut(w.question(), " from ")
	if !found {
		t.Fatalf("%s: the check with %q was not decided", cfg.Profile, header)
	}
	return source
}

func TestTheSourceIsTheLastAddressThatNoTrustedProxyHas(t *testing.T) {
	near := []string{"10.0.0.0/8", "2001:db8::1"}
	for _, c := range []struct {
		trusted     []string
		value, want string
	}{
		{nil, "203.0.113.7", "203.0.113.7"},
		{nil, "192.0.2.1, 203.0.113.7", "203.0.113.7"},
		{nil, "203.0.113.7, 10.0.0.1", "10.0.0.1"},
		{near, "203.0.113.7, 10.0.0.1", "203.0.113.7"},
		{near, "192.0.2.1, 203.0.113.7, 10.0.0.2,10.0.0.1", "203.0.113.7"},
		{near, "203.0.113.7, 2001:db8::1, ::ffff:10.0.0.1", "203.0.113.7"},
		{near, "10.9.9.9, 203.0.113.7", "203.0.113.7"},
		{near, "forged, 203.0.113.7", "203.0.113.7"},
		{near, "10.0.0.2, 10.0.0.1", "10.0.0.2"},
		{near, "192.0.2.1, unknown, 10.0.0.1", ""},
		{near, "192.0.2.1, , 10.0.0.1", ""},
	} {
		for _, profile := range []forwardauth.Profile{forwardauth.Caddy, forwardauth.Nginx} {
			header := map[forwardauth.Profile]string{forwardauth.Caddy: "X-Forwarded-For: ",
				forwardauth.Nginx: "X-Original-For: "}[profile]
			cfg := forwardauth.Config{Profile: profile, Source: forwardauth.Source{TrustedProxies: c.trusted}}
			if got := from(t, cfg, header+c.value); got != c.want {
				t.Errorf("%s: %q behind %q is from %q, want %q", profile, c.value, c.trusted, got, c.want)
			}
		}
	}
}

func TestTheSourceComesFromTheHeaderThatIsConfiguredAlone(t *testing.T) {
	source := forwardauth.Source{Header: "x-client-address"}
	for _, profile := range []forwardauth.Profile{forwardauth.Caddy, forwardauth.Envoy} {
		got := from(t, forwardauth.Config{Profile: profile, Source: source},
			"X-Client-Address: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.1")
		if got != "203.0.113.9" {
			t.Errorf("%s: the source is %q", profile, got)
		}
	}
	w := serve(t, forwardauth.Config{Profile: forwardauth.Caddy, Source: source}, allowing)
	if resp, _ := w.check(t, checks[forwardauth.Caddy]...); resp.StatusCode < 400 || w.question() != "" {
		t.Errorf("a check without the header is answered %d", resp.StatusCode)
	}
}

func TestKeysThatAGatewayCannotHonourAreFaults(t *testing.T) {
	for key, change := range map[string]func(*forwardauth.Config){
		"":              func(*forwardauth.Config) {},
		"unavailable":   func(c *forwardauth.Config) { c.Unavailable = 503 },
		"source.header": func(c *forwardauth.Config) { c.Source.Header = "authorization" },
		"source.trusted_proxies[1]": func(c *forwardauth.Config) {
			c.Source.TrustedProxies = []string{"::1", "gateway"}
		},
	} {
		cfg := conf.Default[forwardauth.Config]()
		cfg.Name, cfg.Profile, cfg.Address = "caddy", forwardauth.Caddy, "127.0.0.1:0"
		change(&cfg)
		var faults []string
		cfg.Check(func(key, _, _ string) { faults = append(faults, key) })
		if strings.Join(faults, " ") != key {
			t.Errorf("faults at %q, want %q", faults, key)
		}
	}
	cfg := conf.Default[forwardauth.Config]()
	cfg.Name, cfg.Profile, cfg.Address, cfg.Unavailable = "envoy", forwardauth.Envoy, "127.0.0.1:0", 404
	cfg.Check(func(key, _, _ string) { cfg.Name = key })
	if cfg.Name != "unavailable" {
		t.Error("404 is a status of an outage")
	}
}
