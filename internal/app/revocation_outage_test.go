package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestARevokedTokenIsNotUsedWhileItsServerIsDown: an event has ended its session, and introspection fails. What was
// known, or can be validated locally, does not count any more; what other tokens were promised does. Where a JWT is
// validated locally the event ends it: nothing is known of what this server would answer.
func TestARevokedTokenIsNotUsedWhileItsServerIsDown(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]struct {
		mode   authz.Mode
		format devissuer.Format
	}{
		"introspect, stale answers allowed": {mode: authz.ModeIntrospect},
		"jwt_then_introspect":               {authz.ModeJWTThenIntrospect, devissuer.JWT},
		"jwt":                               {authz.ModeJWT, devissuer.JWT},
	} {
		t.Run(name, func(t *testing.T) {
			var keys string // is there before the first fetch
			tr := newTransmitter(t, func() string { return keys })
			w := start(t, func(c *config.Config) {
				keys = c.Issuers[0].Endpoint.Issuer + "/jwks"
				receivedFrom(t, tr, "push", c)
				i := &c.Issuers[0]
				i.Mode, i.Dialect.Audience, i.Cache.TTL, i.Cache.StaleIfError = how.mode, []string{"orders-api"},
					time.Millisecond, time.Hour
				c.Events[0].Sessions = "known"
			})
			over, live := w.session(t, "s1", how.format), w.session(t, "s2", how.format)
			for _, tok := range []string{over, live} {
				if a := w.ask(t, tok); !a.Allow {
					t.Fatalf("answered %v", a)
				}
			}
			w.fault(&devissuer.Fault{Then: devissuer.Close})
			deliver["session-revoked, pushed"](t, w, tr, "s1")
			for range 20 {
				a := w.ask(t, over)
				if how.mode == authz.ModeIntrospect && !a.is("unavailable", 503, "temporarily_unavailable") ||
					how.mode != authz.ModeIntrospect && !a.is("unauthenticated", 401, "invalid_token") {
					t.Errorf("the revoked token: %v", a)
				}
				if a := w.ask(t, live); !a.Allow {
					t.Errorf("the token of another session: %v", a)
				}
			}
			w.issuer.SetFault(nil)
			w.issuer.Revoke(over)
			testkit.Eventually(t, "the server's answer is used",
				func() bool { return w.ask(t, over).is("unauthenticated", 401, "invalid_token") })
		})
	}
}

// TestEV2_WhileTheStreamIsDownAnswersAreUsedForAShortTime: the stream of events is down, so that a revocation takes
// effect by asking again. When it is up, cached answers are used.
func TestEV2_WhileTheStreamIsDownAnswersAreUsedForAShortTime(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	w := start(t, func(c *config.Config) {
		receiving(t, silent.URL)(c)
		c.Events[0].SharedSignals.DownTTL, c.Issuers[0].Cache.TTL = 100*time.Millisecond, time.Hour
	})
	tok := w.token(t, good())
	if a := w.ask(t, tok); !a.Allow {
		t.Fatalf("answered %v", a)
	}
	w.issuer.Revoke(tok)
	testkit.Eventually(t, "the revocation takes effect",
		func() bool { return w.ask(t, tok).is("unauthenticated", 401, "invalid_token") })
	if err := w.stopped(t); err != nil { // or its poll would keep the transmitter from closing
		t.Error(err)
	}

	tr := newTransmitter(t, func() string { return "" })
	up := start(t, func(c *config.Config) {
		receivedFrom(t, tr, "poll", c)
		c.Events[0].SharedSignals.DownTTL, c.Issuers[0].Cache.TTL = time.Millisecond, time.Hour
	})
	up.streamIsUp(t)
	tok = up.token(t, good())
	up.ask(t, tok)
	calls := up.issuer.Calls()
	for range 20 {
		up.ask(t, tok)
	}
	if n := up.issuer.Calls() - calls; n != 0 {
		t.Errorf("the server was asked %d times while the stream was up", n)
	}
}
