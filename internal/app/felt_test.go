package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// used is one request of a load.
type used struct {
	token        string
	begun, ended time.Time
	answer       answer
	err          error
}

func (u used) String() string {
	if u.err != nil {
		return u.err.Error()
	}
	return u.answer.String()
}

// mostAtOnce bounds the requests of a load that are under way: a machine that cannot keep up gets no more.
const mostAtOnce = 32

// traffic sends requests at a steady rate, whether or not earlier ones are answered, with each token in turn.
type traffic struct {
	stop func() []used // and returns all of them
	sent atomic.Int64
}

func (w *world) traffic(t *testing.T, rate int, tokens ...string) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	l := &traffic{}
	var mu sync.Mutex
	var all []used
	var running sync.WaitGroup
	slots := make(chan struct{}, mostAtOnce)
	running.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			slots <- struct{}{}
			u := used{token: tokens[n%len(tokens)], begun: time.Now()}
			running.Go(func() {
				defer func() { <-slots }()
				u.answer, u.err = w.try(t.Context(), u.token)
				u.ended = time.Now()
				mu.Lock()
				all = append(all, u)
				mu.Unlock()
				l.sent.Add(1)
			})
		}
	})
	var once sync.Once
	l.stop = func() []used {
		once.Do(func() { cancel(); running.Wait() })
		return all
	}
	t.Cleanup(func() { l.stop() })
	return l
}

// goesOn waits for so many more answers.
func (l *traffic) goesOn(t *testing.T, n int64) {
	t.Helper()
	want := l.sent.Load() + n
	testkit.Eventually(t, "the load goes on", func() bool { return l.sent.Load() >= want })
}

// session is a token of a session of alice's.
func (w *world) session(t *testing.T, sid string, f devissuer.Format) string {
	t.Helper()
	g := good()
	g.TokenFormat, g.Claims = f, map[string]any{"sid": sid}
	return w.token(t, g)
}

// ways are those to look at tokens. Where the issuer cannot be asked, word of a revocation is all that there is.
var ways = map[string]struct {
	mode   introspect.Mode
	format devissuer.Format
	mute   bool
}{
	"introspect":                       {mode: introspect.Introspect},
	"introspect, a JWT":                {mode: introspect.Introspect, format: devissuer.JWT},
	"jwt_then_introspect":              {mode: introspect.JWTThenIntrospect, format: devissuer.JWT},
	"jwt":                              {mode: introspect.JWT, format: devissuer.JWT},
	"introspect_opaque, a JWT":         {mode: introspect.IntrospectOpaque, format: devissuer.JWT},
	"jwt, and nobody to ask about one": {mode: introspect.JWT, format: devissuer.JWT, mute: true},
}

// toldBy is a sidecar that looks at tokens in one of the ways, keeps answers for an hour, and hears word from tr.
func toldBy(t *testing.T, way, word string) (*world, *transmitter) {
	t.Helper()
	how := ways[way]
	var keys string // is there before the first fetch
	tr := newTransmitter(t, func() string { return keys })
	w := start(t, func(c *config.Config) {
		keys = c.Issuers[0].Endpoint.Issuer + "/jwks"
		receivedFrom(t, tr, deliveryOf(word), c)
		i := &c.Issuers[0]
		i.Mode, i.Cache.TTL, i.Dialect.Audience = how.mode, time.Hour, []string{"orders-api"}
		if how.mute {
			c.Events[0].Sessions, i.Endpoint.Client.Auth, i.Endpoint.Client.Secret.File = "known", "none", ""
		}
	})
	w.hears(t)
	return w, tr
}

// TestRevocationIsFeltByTheNextRequest: answers are kept for an hour. The first request after the event was answered is
// denied; the token of another session of the same user is allowed before and after.
func TestRevocationIsFeltByTheNextRequest(t *testing.T) {
	for way, how := range ways {
		for word, tell := range told {
			t.Run(way+": "+word, func(t *testing.T) {
				t.Parallel()
				w, tr := toldBy(t, way, word)
				over, live := w.session(t, "s1", how.format), w.session(t, "s2", how.format)
				for range 2 {
					for _, tok := range []string{over, live} {
						if a := w.ask(t, tok); !a.Allow {
							t.Fatalf("before the event: %v", a)
						}
					}
					w.issuer.Revoke(over) // without an event: the second round shows that the answer is kept
				}
				tell(t, w, tr, "s1")
				for range 2 {
					if a := w.ask(t, over); !a.is("unauthenticated", http.StatusUnauthorized, "invalid_token") {
						t.Errorf("after the event: %v", a)
					}
					if a := w.ask(t, live); !a.Allow {
						t.Errorf("the token of another session: %v", a)
					}
				}
			})
		}
	}
}

// TestLogoutEndsAJWTThatItsServerGoesOnCallingActive: the server looks at the signature alone, and nothing but the event tells
// of the end. A token of another session is good.
func TestLogoutEndsAJWTThatItsServerGoesOnCallingActive(t *testing.T) {
	for way, how := range ways {
		if how.mode == introspect.Introspect {
			continue // the operator chose to believe the server
		}
		for word, tell := range told {
			t.Run(way+": "+word, func(t *testing.T) {
				t.Parallel()
				w, tr := toldBy(t, way, word)
				over, live := w.session(t, "s1", how.format), w.session(t, "s2", how.format)
				for _, tok := range []string{over, live} {
					if a := w.ask(t, tok); !a.Allow {
						t.Fatalf("before the event: %v", a)
					}
				}
				tell(t, w, tr, "s1")
				if a := w.ask(t, over); !a.is("unauthenticated", http.StatusUnauthorized, "invalid_token") {
					t.Errorf("after the event: %v", a)
				}
				if a := w.ask(t, live); !a.Allow {
					t.Errorf("the token of another session: %v", a)
				}
			})
		}
	}
}

// TestRevocationIsFeltAtOnceUnderLoad: the token is in use all the time. No request that begins after the event was
// answered is allowed, nor any after the first denial; the tokens of other sessions of the same user are allowed
// throughout. How soon it is felt is logged, for the machine may be slow. Each kind of event meets one way to look at
// tokens: TestRevocationIsFeltByTheNextRequest has all pairs.
func TestRevocationIsFeltAtOnceUnderLoad(t *testing.T) {
	t.Parallel()
	for word, way := range map[string]string{
		"back-channel logout":     "introspect",
		"session-revoked, pushed": "jwt_then_introspect",
		"session-revoked, polled": "jwt, and nobody to ask about one",
	} {
		t.Run(way+": "+word, func(t *testing.T) {
			w, tr := toldBy(t, way, word)
			over, live := w.session(t, "s1", ways[way].format), w.session(t, "s2", ways[way].format)
			l := w.traffic(t, 2*200, over, live)
			l.goesOn(t, 100)
			w.issuer.Revoke(over) // without an event
			l.goesOn(t, 40)
			sent := time.Now()
			told[word](t, w, tr, "s1")
			done := time.Now()
			l.goesOn(t, 120)
			felt(t, l.stop(), over, sent, done)
		})
	}
}

// felt judges a load in which word that a token is over was sent and answered.
func felt(t *testing.T, all []used, over string, sent, done time.Time) {
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
	denied, overtaken := 0, 0
	for _, u := range all {
		switch {
		case u.token != over:
			if u.err != nil || !u.answer.Allow {
				t.Errorf("the token of another session gets %v", u)
			}
		case u.ended.Before(sent):
			if u.err != nil || !u.answer.Allow {
				t.Errorf("before the event it gets %v: nothing is kept, so this proves nothing", u)
			}
		case u.err != nil, !u.answer.Allow && !u.answer.is("unauthenticated", http.StatusUnauthorized, "invalid_token"):
			t.Errorf("after the event it gets %v", u)
		case !u.answer.Allow:
			denied++
		case u.begun.After(done):
			t.Errorf("a request that began %v after the event was answered is allowed", u.begun.Sub(done))
		case u.begun.After(first):
			t.Errorf("a request that began %v after the first denial is allowed", u.begun.Sub(first))
		default:
			overtaken++
		}
	}
	t.Logf("the event was answered after %v; first denial after %v; %d denied, %d of those under way were still allowed", done.Sub(sent), first.Sub(sent), denied, overtaken)
}

// TestTrap10_AnAnswerThatIsOlderThanItsRevocationIsNotUsed: the server answers late what it knew when it was asked; word of
// the revocation comes in between. All who wait are refused, after a second question.
func TestTrap10_AnAnswerThatIsOlderThanItsRevocationIsNotUsed(t *testing.T) {
	t.Parallel()
	for word, tell := range told {
		t.Run(word, func(t *testing.T) {
			var keys string // is there before anybody fetches them
			tr := newTransmitter(t, func() string { return keys })
			w := start(t, func(c *config.Config) {
				keys = c.Issuers[0].Endpoint.Issuer + "/jwks"
				receivedFrom(t, tr, deliveryOf(word), c)
				c.Issuers[0].Cache.TTL = time.Hour
			})
			w.hears(t)
			w.ask(t, w.token(t, good())) // the endpoint is known
			tok := w.session(t, "s1", devissuer.Opaque)
			arrived, release := make(chan struct{}, 100), make(chan struct{})
			var questions atomic.Int64
			w.issuer.SetFault(func(r *http.Request) *devissuer.Fault {
				if !strings.HasSuffix(r.URL.Path, "/introspect") || questions.Add(1) > 1 {
					return nil
				}
				arrived <- struct{}{}
				<-release
				return authserver.Answer(200, "", `{"active":true,"sub":"alice","sid":"s1","client_id":"web","scope":"orders:read","aud":"orders-api","tenant":"acme"}`)
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
			tell(t, w, tr, "s1")
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
