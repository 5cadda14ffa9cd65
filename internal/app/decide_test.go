package app

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

func TestShippedPoliciesDecide(t *testing.T) {
	w := start(t, nil)
	with := func(change func(*devissuer.Grant)) string {
		g := good()
		change(&g)
		return w.token(t, g)
	}
	for name, c := range map[string]struct {
		token  string
		kind   string
		status int
		code   string
	}{
		"a good token is allowed": {w.token(t, good()), "allow", 200, ""},
		"a lacking scope is forbidden": {with(func(g *devissuer.Grant) { g.Scopes = []string{"orders:write"} }),
			"deny", 403, "insufficient_scope"},
		"another audience is no token": {with(func(g *devissuer.Grant) { g.Audience = []string{"other-api"} }),
			"deny", 401, "wrong_audience"},
		"another tenant is forbidden": {with(func(g *devissuer.Grant) { g.Tenant = "globex" }), "deny", 403,
			"wrong_tenant"},
		"no token is challenged":         {"", "unauthenticated", 401, "no_credential"},
		"an unknown token is challenged": {"an-unknown-token", "unauthenticated", 401, "invalid_token"},
		"an expired token is challenged": {with(func(g *devissuer.Grant) { g.TTL = -time.Hour }), "unauthenticated",
			401, "invalid_token"},
		"a malformed token is a mistake": {"a b", "malformed", 400, "invalid_request"},
		"a JWT is as good as opaque text": {with(func(g *devissuer.Grant) { g.TokenFormat = devissuer.JWT }), "allow",
			200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.ask(t, c.token); !got.is(c.kind, c.status, c.code) {
				t.Errorf("got %v, want %s %d %s", got, c.kind, c.status, c.code)
			}
		})
	}
}

func TestScopeIsNamedInTheChallenge(t *testing.T) {
	w := start(t, nil)
	g := good()
	g.Scopes = nil
	got := w.ask(t, w.token(t, g)).Headers["WWW-Authenticate"]
	if want := `Bearer realm="sidecar", error="insufficient_scope", scope="orders:read"`; len(got) != 1 ||
		got[0] != want {
		t.Errorf("challenge %q, want %q", got, want)
	}
}

func TestRevokedTokenIsDeniedAfterTheTTL(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) { c.Issuers[0].Cache.TTL = 300 * time.Millisecond })
	tok := w.token(t, good())
	if got := w.ask(t, tok); !got.Allow {
		t.Fatalf("got %v", got)
	}
	w.issuer.Revoke(tok)
	testkit.Eventually(t, "the revoked token is refused",
		func() bool { return w.ask(t, tok).is("unauthenticated", 401, "invalid_token") })
}

func TestBatchAsksOnceForEachToken(t *testing.T) {
	w := start(t, func(c *config.Config) { c.Issuers[0].Cache.TTL, c.Issuers[0].Cache.NegativeTTL = 0, 0 })
	one, other := call(w.token(t, good())), call("unknown")
	body, err := w.send(t.Context(), "POST", w.api+"/v1/decisions/batch",
		`{"items":[`+strings.Join([]string{one, other, one, other, one}, ",")+`]}`)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Items []answer }
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	for i, a := range got.Items {
		if a.Allow != (i%2 == 0) {
			t.Errorf("item %d: %v", i, a)
		}
	}
	if n := w.issuer.Calls(); n != 2 || len(got.Items) != 5 {
		t.Errorf("%d questions about 2 tokens, %d answers", n, len(got.Items))
	}
}

func TestStartsWhileTheAuthorizationServerIsDown(t *testing.T) {
	t.Parallel()
	port := testkit.HoldPort(t)
	w := &world{cfg: configuration(t, "http://"+port.Addr())}
	w.run(t)
	if got := w.ask(t, "abc"); !got.is("unavailable", 503, "temporarily_unavailable") ||
		got.Headers["Retry-After"] == nil {
		t.Errorf("got %v %v", got, got.Headers)
	}
	if s := w.status(t); !s.Ready {
		t.Error("the sidecar is not ready: it can answer")
	}
	ln, err := port.Listen()
	if err != nil {
		t.Fatal(err)
	}
	w.issuer = authserver.StartAt(t, ln, knowsTheSidecar())
	tok := w.token(t, good())
	testkit.Eventually(t, "the server that came up is asked", func() bool { return w.ask(t, tok).Allow })
}

func TestUnixSocketsEndToEnd(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := start(t, func(c *config.Config) {
		c.Listen.API.Address = "unix://" + filepath.Join(dir, "api") + "?mode=0600"
		c.Listen.Admin.Address = "unix://" + filepath.Join(dir, "admin")
	})
	over := w.client.Transport.(*http.Transport)
	over.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		path := w.app.APIAddr().String()
		if strings.HasPrefix(address, "admin") {
			path = w.app.AdminAddr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	w.api, w.admin = "http://api", "http://admin"
	tok := w.token(t, good())
	if got := w.ask(t, tok); !got.Allow {
		t.Errorf("got %v", got)
	}
	if s := w.status(t); !s.Ready || s.Issuers[0].CachedActive != 1 || !s.DecisionLog.Enabled {
		t.Errorf("status %+v", s)
	}
	if err := w.stopped(t); err != nil {
		t.Error(err)
	}
	if n := len(w.logged(t)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestDecisionLogIsReopened(t *testing.T) {
	w := start(t, nil)
	before := w.ask(t, "").ID
	testkit.Eventually(t, "the first event is written", func() bool { return len(w.logged(t)) == 1 })
	moved := w.cfg.DecisionLog.File + ".1"
	rename(t, w.cfg.DecisionLog.File, moved)
	if err := w.app.Reopen(); err != nil {
		t.Fatal(err)
	}
	after := w.ask(t, "").ID
	if err := w.stopped(t); err != nil {
		t.Fatal(err)
	}
	if got := w.logged(t); len(got) != 1 || got[after] == "" {
		t.Errorf("the new file has %v", got)
	}
	w.cfg.DecisionLog.File = moved
	if got := w.logged(t); len(got) != 1 || got[before] == "" {
		t.Errorf("the old file has %v", got)
	}
}
