package app

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// two runs a sidecar with a second issuer, which takes the opaque tokens of requests to globex.
func two(t *testing.T) (w *world, second *devissuer.Server) {
	t.Helper()
	second = authserver.Start(t, knowsTheSidecar())
	return start(t, func(c *config.Config) {
		other := c.Issuers[0]
		other.Endpoint.Name, other.Endpoint.Issuer = "second", second.Issuer()
		other.Match = route.Match{Header: "x-tenant", Values: []string{"globex"}}
		c.Issuers[0].Match.Default = true
		c.Issuers = append(c.Issuers, other)
	}), second
}

// askAs asks about GET /orders/42 of a tenant.
func (w *world) askAs(t *testing.T, tenant, token string) (status int, body string) {
	t.Helper()
	status, body, err := w.exchange(t.Context(), "POST", w.api+"/v1/decisions",
		strings.ReplaceAll(call(token), `"acme"`, fmt.Sprintf("%q", tenant)))
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func TestEachTokenIsAskedAboutAtItsOwnIssuer(t *testing.T) {
	w, second := two(t)
	globex := good()
	globex.Tenant = "globex"
	issue := func(as *devissuer.Server, g devissuer.Grant, f devissuer.Format) string {
		g.TokenFormat = f
		tok, err := as.Issue(g)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	for name, c := range map[string]struct {
		tenant, token string
		kind          string
		first, other  int
	}{
		"opaque of the first":  {"acme", issue(w.issuer, good(), devissuer.Opaque), "allow", 1, 0},
		"opaque of the second": {"globex", issue(second, globex, devissuer.Opaque), "allow", 0, 1},
		"a JWT of the first":   {"acme", issue(w.issuer, good(), devissuer.JWT), "allow", 1, 0},
		"a JWT of the second":  {"globex", issue(second, globex, devissuer.JWT), "allow", 0, 1},
		"a JWT of the second, of no tenant": {"acme", issue(second, good(), devissuer.JWT), "unauthenticated", 0,
			0},
		"a JWT of the first, called another's": {"globex", issue(w.issuer, globex, devissuer.JWT), "allow", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := w.issuer.Calls(), second.Calls()
			if _, body := w.askAs(t, c.tenant, c.token); !strings.Contains(body, fmt.Sprintf(`"kind":%q`, c.kind)) {
				t.Errorf("want %s: %s", c.kind, body)
			}
			if first, other := w.issuer.Calls()-a, second.Calls()-b; first != c.first || other != c.other {
				t.Errorf("the servers were asked %d and %d times, want %d and %d", first, other, c.first, c.other)
			}
		})
	}
	s := w.status(t)
	if !s.Ready || len(s.Issuers) != 2 || s.Issuers[1].Name != "second" || s.Issuers[0].CachedActive != 3 ||
		s.Issuers[1].CachedActive != 2 {
		t.Errorf("status %+v", s)
	}
	for _, name := range []string{"dev", "second"} {
		if want := fmt.Sprintf(`sidecar_introspect_cache_entries{cache="active",issuer=%q}`,
			name); !strings.Contains(w.get(t, "/metrics"), want) {
			t.Errorf("no metric %s", want)
		}
	}
}

func TestOneIssuerDownLeavesTheOtherAlone(t *testing.T) {
	w := start(t, func(c *config.Config) {
		other := c.Issuers[0]
		other.Endpoint.Name, other.Endpoint.Issuer = "second", "http://"+testkit.HoldPort(t).Addr()
		other.Match = route.Match{Header: "x-tenant", Values: []string{"globex"}}
		c.Issuers[0].Match.Default = true
		c.Issuers = append(c.Issuers, other)
	})
	if _, body := w.askAs(t, "globex", "some-token"); !strings.Contains(body, `"kind":"unavailable"`) {
		t.Errorf("got %s", body)
	}
	if got := w.ask(t, w.token(t, good())); !got.Allow || !w.status(t).Ready {
		t.Errorf("got %v", got)
	}
}

// demanding is a policy that wants tokens validated locally, and where the words are.
const demanding = `package strict

# METADATA
# entrypoint: true
# custom: {token: {mode: jwt}}
decision := false
`

func TestMetadataThatNoIssuerCanMeetDoesNotLoad(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Endpoint.IntrospectionEndpoint,
			c.Issuers[0].Endpoint.Issuer = c.Issuers[0].Endpoint.Issuer+"/introspect", ""
	})
	testkit.WriteFile(t, w.policyFile("strict.rego"), demanding)
	const want = "strict.rego:3:1: metadata_error: custom.token of data.strict.decision wants mode jwt, which no " +
		"configured issuer can do"
	testkit.Eventually(t, "the reload is refused for the mode", func() bool { // a file may be seen half written first
		errs := w.status(t).Policy.Errors
		return len(errs) == 1 && strings.HasSuffix(errs[0].Text, want)
	})
	_, _, err := Check(t.Context(), w.cfg)
	if problems, ok := errors.AsType[bundle.Problems](err); !ok || !strings.HasSuffix(problems.Error(), want) {
		t.Errorf("check says %v", err)
	}
	if err := os.Remove(w.policyFile("strict.rego")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the reload is good", func() bool { return w.status(t).Policy.Healthy })
}

func TestMetadataThatAnIssuerCanMeetLoads(t *testing.T) {
	w := start(t, nil)
	before := w.status(t).Policy.Digest
	testkit.WriteFile(t, w.policyFile("strict.rego"), demanding)
	testkit.Eventually(t, "the policy is loaded", func() bool { return w.status(t).Policy.Digest != before })
	if got := w.app.point.Snapshot().Policy.Freshness("strict/decision").Mode; got != "jwt" {
		t.Errorf("mode %q", got)
	}
}

func TestAnIssuerDoesNotSpeakForTheTenantsOfAnother(t *testing.T) {
	second := authserver.Start(t, knowsTheSidecar())
	w := start(t, func(c *config.Config) {
		other := c.Issuers[0]
		other.Endpoint.Name, other.Endpoint.Issuer = "partner", second.Issuer()
		other.Match = route.Match{Header: "x-partner", Values: []string{"yes"}}
		other.Dialect.Tenants = []string{"globex", "initech-*"}
		c.Issuers[0].Match.Default = true
		c.Issuers = append(c.Issuers, other)
	})
	for _, c := range []struct {
		tenant string
		format devissuer.Format
		kind   string
	}{
		{"acme", devissuer.Opaque, "unauthenticated"}, {"acme", devissuer.JWT, "unauthenticated"},
		{"initech", devissuer.Opaque, "unauthenticated"},
		{"globex", devissuer.Opaque, "allow"}, {"globex", devissuer.JWT, "allow"},
		{"initech-eu", devissuer.Opaque, "allow"},
	} {
		g := good()
		g.Tenant, g.TokenFormat = c.tenant, c.format
		tok, err := second.Issue(g)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Replace(strings.ReplaceAll(call(tok), `"acme"`, fmt.Sprintf("%q", c.tenant)), `"x-tenant"`,
			`"x-partner":["yes"],"x-tenant"`, 1)
		_, said, err := w.exchange(t.Context(), "POST", w.api+"/v1/decisions", body)
		if err != nil || !strings.Contains(said, fmt.Sprintf(`"kind":%q`, c.kind)) {
			t.Errorf("%s of %s: want %s: %s %v", c.format, c.tenant, c.kind, said, err)
		}
		if c.kind == "allow" && !strings.Contains(said, fmt.Sprintf(`"X-Issuer":[%q]`, second.Issuer())) {
			t.Errorf("the upstream is not told whose subject it is: %s", said)
		}
	}
	if err := w.stopped(t); err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(w.cfg.DecisionLog.File)
	if want := fmt.Sprintf(`is of tenant \"acme\", for which issuer \"%s\" may not speak`,
		second.Issuer()); err != nil || !strings.Contains(string(log), want) {
		t.Errorf("the decision log does not tell: %v %s", err, log)
	}
}
