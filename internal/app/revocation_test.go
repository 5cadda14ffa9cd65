package app

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// session is a token of a session of alice's.
func (w *world) session(t *testing.T, sid string, f devissuer.Format) string {
	t.Helper()
	g := good()
	g.TokenFormat, g.Claims = f, map[string]any{"sid": sid}
	return w.token(t, g)
}

// ways are how the sidecar may find out about a token. Without introspection a revocation event is all that tells of
// its end.
var ways = map[string]struct {
	mode            authz.Mode
	format          devissuer.Format
	noIntrospection bool
}{
	"introspect":                {mode: authz.ModeIntrospect},
	"introspect, JWT":           {mode: authz.ModeIntrospect, format: devissuer.JWT},
	"jwt_then_introspect":       {mode: authz.ModeJWTThenIntrospect, format: devissuer.JWT},
	"jwt":                       {mode: authz.ModeJWT, format: devissuer.JWT},
	"introspect_opaque, JWT":    {mode: authz.ModeIntrospectOpaque, format: devissuer.JWT},
	"jwt without introspection": {mode: authz.ModeJWT, format: devissuer.JWT, noIntrospection: true},
}

// receivingEvents is a sidecar that finds out about tokens in one of the ways, keeps answers for an hour, and receives
// the events of a transmitter by a delivery.
func receivingEvents(t *testing.T, way, delivery string) (*world, *transmitter) {
	t.Helper()
	how := ways[way]
	var keys string // is there before the first fetch
	tr := newTransmitter(t, func() string { return keys })
	w := start(t, func(c *config.Config) {
		keys = c.Issuers[0].Endpoint.Issuer + "/jwks"
		receivedFrom(t, tr, methodOf(delivery), c)
		i := &c.Issuers[0]
		i.Mode, i.Cache.TTL, i.Dialect.Audience = how.mode, time.Hour, []string{"orders-api"}
		if how.noIntrospection {
			c.Events[0].Sessions, i.Endpoint.Client.Auth, i.Endpoint.Client.Secret.File = "known", "none", ""
		}
	})
	w.streamIsUp(t)
	return w, tr
}

// TestTheFirstRequestAfterARevocationIsDenied: answers are kept for an hour. The first request after the event was
// answered is denied; the token of another session of the same user is allowed before and after. A JWT that is
// validated locally is over even when its server goes on calling it active. Each way meets one delivery here and most
// of them another one in TestARevocationIsInForceAtOnceUnderLoad: package introspect has all ways, and the packages of
// signals all deliveries.
func TestTheFirstRequestAfterARevocationIsDenied(t *testing.T) {
	for way, delivery := range map[string]string{
		"introspect":                "session-revoked, polled",
		"introspect, JWT":           "back-channel logout",
		"jwt_then_introspect":       "session-revoked, polled",
		"jwt":                       "session-revoked, pushed",
		"introspect_opaque, JWT":    "back-channel logout",
		"jwt without introspection": "session-revoked, pushed",
	} {
		t.Run(way+": "+delivery, func(t *testing.T) {
			t.Parallel()
			w, tr := receivingEvents(t, way, delivery)
			how := ways[way]
			over, live, unheard := w.session(t, "s1", how.format), w.session(t, "s2", how.format),
				w.session(t, "s3", how.format)
			for range 2 {
				for _, tok := range []string{over, live, unheard} {
					if a := w.ask(t, tok); !a.Allow {
						t.Fatalf("before the event: %v", a)
					}
				}
				w.issuer.Revoke(over) // without an event: the second round shows that the answer is kept
			}
			deliver[delivery](t, w, tr, "s1")
			deliver[delivery](t, w, tr, "s3") // the server goes on calling this one active
			for range 2 {
				if a := w.ask(t, over); !a.is("unauthenticated", http.StatusUnauthorized, "invalid_token") {
					t.Errorf("after the event: %v", a)
				}
				if a := w.ask(t, live); !a.Allow {
					t.Errorf("the token of another session: %v", a)
				}
				believed := how.mode == authz.ModeIntrospect // whatever the server says
				if a := w.ask(t, unheard); a.Allow != believed {
					t.Errorf("the token that its server goes on calling active: %v", a)
				}
			}
		})
	}
}

// TestARevocationIsInForceAtOnceUnderLoad: the token is in use all the time. No request that begins after the event
// was answered is allowed, nor any after the first denial; the tokens of other sessions of the same user are allowed
// throughout. How soon the first denial comes is logged, for the machine may be slow.
func TestARevocationIsInForceAtOnceUnderLoad(t *testing.T) {
	t.Parallel()
	for delivery, way := range map[string]string{
		"back-channel logout":     "introspect",
		"session-revoked, pushed": "jwt_then_introspect",
		"session-revoked, polled": "jwt without introspection",
	} {
		t.Run(way+": "+delivery, func(t *testing.T) {
			w, tr := receivingEvents(t, way, delivery)
			over, live := w.session(t, "s1", ways[way].format), w.session(t, "s2", ways[way].format)
			l := w.traffic(t, 2*100, over, live)
			l.goesOn(t, 100)
			w.issuer.Revoke(over) // without an event
			l.goesOn(t, 40)
			sent := time.Now()
			deliver[delivery](t, w, tr, "s1")
			answered := time.Now()
			l.goesOn(t, 120)
			checkRevoked(t, l.stop(), over, sent, answered)
		})
	}
}

// checkRevoked checks the requests of a load during which the event that a token is over was sent and answered.
func checkRevoked(t *testing.T, all []used, over string, sent, answered time.Time) {
	t.Helper()
	var first time.Time
	for _, u := range all {
		if u.token == over && u.err == nil && !u.answer.Allow && (first.IsZero() || u.ended.Before(first)) {
			first = u.ended
		}
	}
	if first.IsZero() {
		t.Fatal("no request was denied")
	}
	denied, underWay := 0, 0
	for _, u := range all {
		switch {
		case u.token != over:
			if u.err != nil || !u.answer.Allow {
				t.Errorf("the token of another session gets %v", u)
			}
		case u.ended.Before(sent):
			if u.err != nil || !u.answer.Allow {
				t.Errorf("before the event it gets %v: the answer is not kept, so this proves nothing", u)
			}
		case u.err != nil, !u.answer.Allow &&
			!u.answer.is("unauthenticated", http.StatusUnauthorized, "invalid_token"):
			t.Errorf("after the event it gets %v", u)
		case !u.answer.Allow:
			denied++
		case u.begun.After(answered):
			t.Errorf("a request that began %v after the event was answered is allowed", u.begun.Sub(answered))
		case u.begun.After(first):
			t.Errorf("a request that began %v after the first denial is allowed", u.begun.Sub(first))
		default:
			underWay++
		}
	}
	t.Logf("the event was answered after %v; first denial after %v; %d denied, %d of those under way were still "+
		"allowed",
		answered.Sub(sent), first.Sub(sent), denied, underWay)
}

// TestTrap10_AnAnswerThatIsOlderThanItsRevocationIsNotUsed: the server answers late what was true when the request
// arrived; the revocation comes in between. All callers that wait are refused, after a second introspection request.
func TestTrap10_AnAnswerThatIsOlderThanItsRevocationIsNotUsed(t *testing.T) {
	t.Parallel()
	for delivery, send := range deliver {
		t.Run(delivery, func(t *testing.T) {
			var keys string // is there before the first fetch
			tr := newTransmitter(t, func() string { return keys })
			w := start(t, func(c *config.Config) {
				keys = c.Issuers[0].Endpoint.Issuer + "/jwks"
				receivedFrom(t, tr, methodOf(delivery), c)
				c.Issuers[0].Cache.TTL = time.Hour
			})
			w.streamIsUp(t)
			w.ask(t, w.token(t, good())) // the endpoint is known
			tok := w.session(t, "s1", devissuer.Opaque)
			arrived, release := make(chan struct{}, 100), make(chan struct{})
			var questions atomic.Int64
			w.issuer.SetFault(func(r *http.Request) *devissuer.Fault {
				if !authserver.IsIntrospection(r) || questions.Add(1) > 1 {
					return nil
				}
				arrived <- struct{}{}
				<-release
				return authserver.Answer(200, "",
					`{"active":true,"sub":"alice","sid":"s1","client_id":"web","scope":"orders:read","aud":"orders-api","tenant":"acme"}`)
			})
			const waiting = 20
			answers := make(chan string, waiting)
			for range waiting {
				go func() {
					a, err := w.try(t.Context(), tok)
					answers <- fmt.Sprintf("%t %v %v", a.Allow, a, err)
				}()
			}
			<-arrived
			w.issuer.Revoke(tok)
			send(t, w, tr, "s1")
			close(release)
			for range waiting {
				if a := <-answers; !strings.HasPrefix(a, "false unauthenticated 401") {
					t.Errorf("answered %s", a)
				}
			}
			if n := questions.Load(); n != 2 {
				t.Errorf("the server was asked %d times", n)
			}
			if a := w.ask(t, tok); a.Allow {
				t.Error("the old answer was kept")
			}
		})
	}
}
