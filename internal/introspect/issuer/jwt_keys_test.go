package issuer

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

// becomesActive looks at a token until it is active. Meanwhile it may only be that its keys cannot be had.
func becomesActive(t *testing.T, i *Issuer, tok secret.Text) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := i.Introspect(t.Context(), introspect.Question{Token: tok})
		switch {
		case err == nil && c.Active:
			return
		case err == nil:
			t.Fatalf("a good token is refused: %s", c.Inactive.Text)
		case authz.KindOf(err) != authz.Unavailable:
			t.Fatal(err)
		case time.Now().After(end):
			t.Fatalf("not active in time: %v", err)
		}
	}
}

// A good token is never called bad because keys could not be had, or were not fetched again: adversarial cases of a
// rotation.
func TestRotation_AJustPublishedKeyIsFoundWhileInventedOnesAreTried(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	look(t, i, k.token(t, nil))
	look(t, i, sign(t, jwks.NewSigner(t, "invented"), "at+jwt", k.claims(nil)))
	next := jwks.NewSigner(t, "k2")
	k.holds(string(k.signer.Public()), string(next.Public()))
	becomesActive(t, i, sign(t, next, "at+jwt", k.claims(change{"jti": "new"})))
}

func TestRotation_AKeyThatChangedUnderItsNameIsNoVerdictWhileTheKeySetIsDown(t *testing.T) {
	t.Parallel()
	for _, kid := range []string{"k1", ""} {
		k := newKeyed(t)
		k.signer = jwks.NewSigner(t, kid)
		k.holds(string(k.signer.Public()))
		i, _ := open(t, "", k.in(authz.ModeJWT))
		look(t, i, k.token(t, nil))
		next := jwks.NewSigner(t, kid)
		k.holds(string(next.Public()))
		k.goDown()
		good := sign(t, next, "at+jwt", k.claims(change{"jti": "new"}))
		for range 3 {
			var e *authz.Error
			if err := noAnswer(t, i, good, "", authz.Unavailable); !errors.As(err, &e) || e.RetryAfter <= 0 {
				t.Errorf("kid %q: no time to come back: %v", kid, err)
			}
		}
		k.comeBack()
		becomesActive(t, i, good)
	}
}

func TestRotation_ATokenOfAnUnknownKeyEndsInARefusal(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	look(t, i, k.token(t, nil))
	foreign := sign(t, jwks.NewSigner(t, "invented"), "at+jwt", k.claims(nil))
	for n := range 30 {
		if c := look(t, i, foreign); c.Active {
			t.Errorf("time %d: active", n)
		}
	}
	if n := k.fetched.Load(); n > 3 {
		t.Errorf("%d fetches", n)
	}
}

func TestATokenWhoseKeyIsIgnoredIsToldWhy(t *testing.T) {
	k := newKeyed(t)
	other := jwks.NewSigner(t, "k2")
	padded := strings.Replace(string(k.signer.Public()), `","y"`, `=","y"`, 1)
	k.holds(padded, string(other.Public()))
	i, _ := open(t, "", k.in(authz.ModeJWT))
	if c := look(t, i, k.token(t, nil)); c.Active ||
		!strings.Contains(c.Inactive.Text, `key 0 (kid "k1", kty "EC"): its x has padding`) {
		t.Errorf("why %q", c.Inactive.Text)
	}
	if c := look(t, i, sign(t, other, "at+jwt", k.claims(nil))); !c.Active {
		t.Errorf("the good key beside it: %s", c.Inactive.Text)
	}
	if ignored := i.IgnoredKeys(); len(ignored) != 1 || ignored[0].ID != "k1" {
		t.Errorf("ignored %v", ignored)
	}
}

func TestAKeySetThatIsNotThereIsMisconfigured(t *testing.T) {
	for status, want := range map[int]authz.Kind{404: authz.Misconfigured, 403: authz.Misconfigured,
		302: authz.Misconfigured, 429: authz.Unavailable, 503: authz.Unavailable} {
		k := newKeyed(t)
		keys := serve(t, testkit.Reply(status, "", ""))
		i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.Endpoint.JWKSURI = keys.URL + "/jwks" }))
		for range 3 {
			if err := noAnswer(t, i, k.token(t, nil), "", want); !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("status %d: %v", status, err)
			}
		}
	}
}

// A failure of discovery keeps its kind in every decision, and only one that may pass says when to come back.
func TestAFailureOfDiscoveryKeepsItsKind(t *testing.T) {
	t.Parallel()
	const path = "/.well-known/openid-configuration"
	for name, c := range map[string]struct {
		docs func(base string) map[string]string
		want authz.Kind
	}{
		"another issuer": {func(b string) map[string]string {
			return map[string]string{path: metadata(b+"/",
				b+"/introspect")}
		}, authz.Misconfigured},
		"no endpoint": {func(b string) map[string]string { return map[string]string{path: metadata(b, "")} },
			authz.Misconfigured},
		"another host": {func(b string) map[string]string {
			return map[string]string{path: metadata(b, "https://internal.example/i")}
		}, authz.Misconfigured},
		"nothing": {func(string) map[string]string { return nil }, authz.Misconfigured},
		"a page of login": {func(string) map[string]string { return map[string]string{path: "<html>"} },
			authz.Unavailable},
		"a page of login before a document that is wrong": {func(b string) map[string]string {
			return map[string]string{path: metadata("https://other.example", b+"/i"),
				"/.well-known/oauth-authorization-server": "<html>"}
		}, authz.Misconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, _ := directory(t, c.docs)
			i, _ := open(t, "", discovering(u.URL))
			for range 40 {
				if e := refusal(t, i, c.want); c.want == authz.Misconfigured && e.RetryAfter != 0 {
					t.Errorf("come back after %s: %v", e.RetryAfter, e)
				}
				time.Sleep(20 * time.Millisecond) // over the time of a second attempt
			}
		})
	}
}

func TestACertificateThatIsNotTrustedIsMisconfiguredInEveryDecision(t *testing.T) {
	t.Parallel()
	u := newKeyed(t)
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)
	i, _ := open(t, "", discovering(tls.URL))
	for range 40 {
		if e := refusal(t, i, authz.Misconfigured); e.RetryAfter != 0 ||
			!strings.Contains(e.Error(), "unknown authority") {
			t.Errorf("%v", e)
		}
		time.Sleep(20 * time.Millisecond)
	}
	k, _ := open(t, "", u.in(authz.ModeJWT, func(c *Config) { c.Endpoint.JWKSURI = tls.URL + "/jwks" }))
	for range 3 {
		noAnswer(t, k, u.token(t, nil), "", authz.Misconfigured)
	}
}

func TestJWTKeyRotation_ANewKeyIsFoundAndTheRefusalBeforeIsNotKept(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	next := jwks.NewSigner(t, "k2")
	tok := sign(t, next, "at+jwt", k.claims(nil))
	look(t, i, k.token(t, nil)) // the old keys are known
	k.holds(string(k.signer.Public()), string(next.Public()))
	if c := look(t, i, tok); !c.Active {
		t.Errorf("signed with the new key: %s", c.Inactive.Text)
	}
	foreign := sign(t, jwks.NewSigner(t, "k3"), "at+jwt", k.claims(nil))
	for range 20 {
		look(t, i, foreign)
	}
	if n := k.fetched.Load(); n != 3 {
		t.Errorf("%d fetches: tokens of unknown keys cause too many fetches", n)
	}
	if s := i.Stats(); s.Inactive.Entries != 0 {
		t.Errorf("%d refusals of unsigned tokens are kept", s.Inactive.Entries)
	}
}

func TestJWTWithoutKeysThereIsNoAnswer(t *testing.T) {
	k := newKeyed(t)
	k.goDown()
	i, _ := open(t, "", k.in(authz.ModeJWT))
	noAnswer(t, i, k.token(t, nil), "", authz.Unavailable)
	if s := i.Stats(); s.Active.Entries+s.Inactive.Entries != 0 {
		t.Error("no answer is kept")
	}
}

func TestJWTKeysThatHangAreNotWaitedForLong(t *testing.T) {
	k := newKeyed(t)
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	i, _ := open(t, "", k.in(authz.ModeJWT,
		func(c *Config) { c.Endpoint.JWKSURI, c.Endpoint.Timeout = hang.URL, 50*time.Millisecond }))
	start := time.Now()
	noAnswer(t, i, k.token(t, nil), "", authz.Unavailable)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestJWTKeysOutliveTheirServer(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	look(t, i, k.token(t, nil))
	k.goDown()
	if c := look(t, i, k.token(t, change{"jti": "later"})); !c.Active {
		t.Error(c.Inactive.Text)
	}
}

func TestJWTStaleIfErrorDoesNotOutliveAWithdrawnKey(t *testing.T) {
	t.Parallel()
	for _, mode := range []authz.Mode{authz.ModeJWT, authz.ModeJWTThenIntrospect} {
		k := newKeyed(t)
		k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q}`, api)))
		i, _ := open(t, "", k.in(mode, func(c *Config) { c.Cache.TTL, c.Cache.StaleIfError = 0, time.Hour }))
		tok := k.token(t, nil)
		if c := look(t, i, tok); !c.Active {
			t.Fatal(c.Inactive.Text)
		}
		k.holds() // the issuer takes all its keys back, and a token with another one makes that known
		foreign := sign(t, jwks.NewSigner(t, "k2"), "at+jwt", k.claims(nil))
		noAnswer(t, i, foreign, "", authz.Unavailable)
		// An empty set counts when it is seen twice.
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			_, err := i.Introspect(t.Context(), introspect.Question{Token: tok})
			if authz.KindOf(err) == authz.Unavailable {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %v", mode, err)
			}
		}
	}
}

func TestJWTUnknownKeysDoNotTakeAllPermitsWhileKeysHang(t *testing.T) {
	for name, kid := range map[string]string{"unknown key": "k2", "bad signature": "k1"} {
		synctest.Test(t, func(t *testing.T) {
			own := jwks.NewSigner(t, "k1")
			good := func(jti string) secret.Text {
				now := time.Now().Unix()
				return sign(t, own, "at+jwt", map[string]any{
					"iss": "https://as", "aud": api, "sub": "alice", "client_id": "web", "jti": jti, "iat": now,
					"exp": now + 600,
				})
			}
			var fetches atomic.Int64
			i, _ := openWired(t, func(c *Config) {
				c.Mode, c.Endpoint.Issuer, c.Endpoint.JWKSURI = authz.ModeJWT, "https://as", "https://as/jwks"
				c.Dialect.Audience, c.JWT.Algorithms, c.MaxInFlight = []string{api}, []string{"ES256"}, 4
			}, func(r *http.Request) (*http.Response, error) {
				if fetches.Add(1) > 1 {
					return hangs(r)
				}
				return wireJSON(`{"keys":[` + string(own.Public()) + `]}`), nil
			})
			look(t, i, good("1"))
			time.Sleep(time.Minute)
			var unknown sync.WaitGroup
			for range 4 {
				tok := sign(t, jwks.NewSigner(t, kid), "at+jwt", map[string]any{})
				unknown.Go(func() { _, _ = i.Introspect(t.Context(), introspect.Question{Token: tok}) })
			}
			synctest.Wait()
			if c, err := i.Introspect(t.Context(), introspect.Question{Token: good("2")}); err != nil || !c.Active {
				t.Errorf("%s: a token with a known key: %v", name, err)
			}
			unknown.Wait()
		})
	}
}
