package forwardauth_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

var outage = authz.Decision{Kind: authz.Unavailable, Status: 503,
	Headers: []authz.Header{{Name: "Retry-After", Values: []string{"3"}}}}

func TestAnOutageReachesTheClientOfEachGatewayWithRetryAfter(t *testing.T) {
	for profile, want := range map[forwardauth.Profile]int{forwardauth.Nginx: 403, forwardauth.IngressNginx: 403,
		forwardauth.Traefik: 503, forwardauth.Caddy: 503, forwardauth.HAProxy: 503, forwardauth.Envoy: 429} {
		w := serve(t, forwardauth.Config{Profile: profile}, outage)
		resp, body := w.check(t, checks[profile]...)
		if resp.StatusCode != want || resp.Header.Get("Retry-After") != "3" {
			t.Errorf("%s: %d %v", profile, resp.StatusCode, resp.Header)
		}
		if profile == forwardauth.Envoy && !strings.Contains(body, `"status":429`) {
			t.Errorf("%s: body %q", profile, body)
		}
	}
}

func TestEnvoyIsAnsweredFrom500OnlyWhenTheListenerSaysSo(t *testing.T) {
	for unavailable, want := range map[int][2]int{403: {403, 403}, 429: {429, 403}, 503: {503, 500}} {
		for i, status := range []int{503, 500} {
			d := outage
			d.Status = status
			w := serve(t, forwardauth.Config{Profile: forwardauth.Envoy, Unavailable: unavailable}, d)
			if resp, _ := w.check(t, checks[forwardauth.Envoy]...); resp.StatusCode != want[i] {
				t.Errorf("unavailable %d: %d for %d", unavailable, resp.StatusCode, status)
			}
		}
	}
}

func TestAGatewayThatAsksTooOftenGetsRefusalsThatReachItsClient(t *testing.T) {
	for profile, want := range map[forwardauth.Profile]int{forwardauth.Nginx: 403, forwardauth.IngressNginx: 403,
		forwardauth.Traefik: 429, forwardauth.Caddy: 429, forwardauth.HAProxy: 429, forwardauth.Envoy: 429} {
		cfg := forwardauth.Config{Profile: profile}
		cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.01}
		w := serve(t, cfg, allowing)
		if resp, body := w.check(t, checks[profile]...); resp.StatusCode != 200 {
			t.Errorf("%s: the first check: %d %s", profile, resp.StatusCode, body)
		}
		resp, body := w.check(t, checks[profile]...)
		if resp.StatusCode != want || resp.Header.Get("Retry-After") != "100" ||
			body != "" && !strings.Contains(body, `"too_many_calls"`) { // a check by HEAD gets none
			t.Errorf("%s: %d %v %s", profile, resp.StatusCode, resp.Header, body)
		}
		if restored := resp.Header.Get("X-Authz-Status"); profile == forwardauth.Nginx && restored != "429" {
			t.Errorf("nginx restores %q", restored)
		}
	}
}

// until sends how long a check may take, and is out of time.
type until chan time.Duration

func (u until) Decide(ctx context.Context, _ authz.Query) authz.Decision {
	end, _ := ctx.Deadline()
	u <- time.Until(end)
	return outage
}

func (until) Callable(string) bool { return true }

func TestAGatewayIsAnsweredBeforeItGivesUp(t *testing.T) {
	const gateways = 3 * time.Second // of the pages
	if grpc := conf.Default[extauthz.Config]().Limits.Timeout; grpc >= gateways {
		t.Errorf("listen.grpc takes %v", grpc)
	}
	cfg := conf.Default[forwardauth.Config]()
	cfg.Profile = forwardauth.HAProxy
	asked := make(until, 1)
	w := world{address: open(t, cfg, asked)}
	w.check(t, checks[forwardauth.HAProxy]...)
	if left := <-asked; left >= gateways {
		t.Errorf("a check may take %v", left)
	}
}
