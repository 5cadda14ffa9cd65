package issuer

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// aviary is a server that grants tokens and is asked about them.
func aviary(t *testing.T) (i *Issuer, l *ledger, says, grants *atomic.Pointer[http.HandlerFunc]) {
	t.Helper()
	says, grants = &atomic.Pointer[http.HandlerFunc]{}, &atomic.Pointer[http.HandlerFunc]{}
	store(says, testkit.ReplyJSON(`{"active":true,"aud":"orders-api"}`))
	store(grants,
		testkit.ReplyJSON(`{"access_token":"a-canary-of-the-sidecar","token_type":"Bearer","expires_in":60}`))
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			(*grants.Load())(w, r)
			return
		}
		(*says.Load())(w, r)
	})
	i, l = open(t, u.URL+"/introspect", func(c *Config) {
		c.Endpoint.TokenEndpoint, c.Canary.Every = u.URL+"/token", time.Minute
		c.Dialect.Audience = []string{"orders-api"}
	})
	return i, l, says, grants
}

func store(p *atomic.Pointer[http.HandlerFunc], h http.HandlerFunc) { p.Store(&h) }

func TestCanaryTellsWhenTheServerNoLongerTells(t *testing.T) {
	t.Parallel()
	i, l, says, grants := aviary(t)
	for _, c := range []struct {
		name        string
		says, grant http.HandlerFunc
		sick        string
	}{
		{"active", nil, nil, ""},
		{"inactive", testkit.ReplyJSON(`{"active":false}`), nil, "is not active"},
		{"a server that is down proves nothing new", answered(503), nil, "is not active"},
		{"active again", testkit.ReplyJSON(`{"active":true,"aud":"orders-api"}`), nil, ""},
		{"a server that is down is no reason", answered(503), nil, ""},
		{"inactive again", testkit.ReplyJSON(`{"active":false}`), nil, "is not active"},
		{"for another audience, of which the server tells", testkit.ReplyJSON(`{"active":true,"aud":"billing-api"}`),
			nil, ""},
		{"its credentials are refused", answered(401), nil, "refuses the sidecar's credentials"},
		{"and for the token too", nil, answered(401), "refuses the sidecar's credentials"},
	} {
		if c.says != nil {
			store(says, c.says)
		}
		if c.grant != nil {
			store(grants, c.grant)
		}
		i.send(t.Context())
		if got := i.Status().Canary; (got == "") != (c.sick == "") || !strings.Contains(got, c.sick) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if strings.Contains(l.String(), "a-canary-of-the-sidecar") ||
		!strings.Contains(l.String(), "canary did not come back") {
		t.Errorf("told: %s", l.String())
	}
}

func answered(code int) http.HandlerFunc { return testkit.Reply(code, "application/json", `{}`) }

func TestCanaryIsNoAnswerForCallers(t *testing.T) {
	i, _, says, _ := aviary(t)
	store(says, testkit.ReplyJSON(`{"active":false}`))
	i.send(t.Context())
	store(says, testkit.ReplyJSON(`{"active":true,"aud":"orders-api"}`))
	if !ask(t, i).Active {
		t.Error("a sick canary refused a token")
	}
}

func TestCanariesThatCannotBeSentAreFaults(t *testing.T) {
	for key, change := range map[string]func(*Config){
		"canary.every": func(c *Config) { c.Canary.Every = time.Millisecond },
		"canary.scope": func(c *Config) { c.Canary.Scope = []string{"x"} },
	} {
		cfg := testConfig(t, "https://as.example/i")
		cfg.Endpoint.TokenEndpoint = "https://as.example/t"
		change(&cfg)
		if got := strings.Join(faults(cfg), " "); got != key {
			t.Errorf("faults %q, want %s", got, key)
		}
	}
	cfg := testConfig(t, "https://as.example/i")
	cfg.Endpoint.TokenEndpoint, cfg.Canary.Every, cfg.Endpoint.Client.Auth = "https://as.example/t", time.Minute,
		"bearer"
	if got := strings.Join(faults(cfg), " "); !strings.Contains(got, "canary.every") {
		t.Errorf("faults %q", got)
	}
}
