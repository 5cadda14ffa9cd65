package cache

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestINT15_TheKeyHoldsEverythingThatShapesTheAnswer(t *testing.T) {
	base := Deps{Issuer: "n", Identifier: "i", ClientID: "c", Fingerprints: secret.NewFingerprinter()}
	key := func(change func(*Deps), token, endpoint string, mode authz.Mode) secret.Fingerprint {
		d := base
		if change != nil {
			change(&d)
		}
		return (&Cache{deps: d}).key(introspect.Question{Token: secret.New(token),
			Freshness: authz.Freshness{Mode: mode}}, endpoint)
	}
	want := key(nil, "t", "e", authz.ModeIntrospect)
	if want != key(nil, "t", "e", authz.ModeIntrospect) {
		t.Fatal("equal parts, different keys")
	}
	for what, got := range map[string]secret.Fingerprint{
		"name":     key(func(d *Deps) { d.Issuer = "N" }, "t", "e", authz.ModeIntrospect),
		"issuer":   key(func(d *Deps) { d.Identifier = "I" }, "t", "e", authz.ModeIntrospect),
		"client":   key(func(d *Deps) { d.ClientID = "C" }, "t", "e", authz.ModeIntrospect),
		"endpoint": key(nil, "t", "E", authz.ModeIntrospect),
		"mode":     key(nil, "t", "e", authz.ModeJWT),
		"token":    key(nil, "T", "e", authz.ModeIntrospect),
		"lengths":  key(func(d *Deps) { d.Issuer, d.Identifier = "ni", "" }, "t", "e", authz.ModeIntrospect),
	} {
		if got == want {
			t.Errorf("%s does not count", what)
		}
	}
}

// TestINT15_OneCacheTellsEndpointsAndModesApart asks for more of them than are known at once, in turns.
func TestINT15_OneCacheTellsEndpointsAndModesApart(t *testing.T) {
	c := &Cache{deps: Deps{Issuer: "n", Fingerprints: secret.NewFingerprinter()}}
	of := map[secret.Fingerprint]string{}
	for range 3 {
		for i := range maxScopes {
			for _, mode := range []authz.Mode{"", authz.ModeJWT, authz.ModeIntrospect} {
				endpoint := "https://as.example/" + strconv.Itoa(i)
				what := endpoint + " " + string(mode)
				key := c.key(introspect.Question{Token: secret.New("t"),
					Freshness: authz.Freshness{Mode: mode}}, endpoint)
				if was, known := of[key]; known && was != what {
					t.Fatalf("%s and %s have one key", was, what)
				}
				of[key] = what
				if n := len(*c.scopes.Load()); n > maxScopes {
					t.Fatalf("%d scopes are known", n)
				}
			}
		}
	}
	if len(of) != 3*maxScopes {
		t.Errorf("%d keys of %d endpoints and modes", len(of), 3*maxScopes)
	}
}

func TestTheLatestAnswerReplacesTheOpposite(t *testing.T) {
	now := time.Now()
	inactive := introspect.Fact{Fact: dialect.Unusable(authz.NotUsable(authz.Inactive, "is not active"), now),
		Endpoint: endpoint}
	inactive.Keep = dialect.Inactive
	active, again := answer(authz.Claims{}), answer(authz.Claims{})
	active.Claims.Fetched, again.Claims.Fetched = now, now
	var next introspect.Fact
	c := open(t, constant(func() introspect.Fact { return next }), nil)
	for _, f := range []introspect.Fact{active, inactive, again} {
		next = f
		if _, err := c.fetch(t.Context(), asking("a")); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, c, "a"); got.Active != f.Claims.Active {
			t.Errorf("active %t was not replaced", !f.Claims.Active)
		}
	}
}

// validating answers as a layer that validates JWTs does: without a server, and with the same claims each time.
func validating(revoked func(secret.Text, ...*authz.Claims) introspect.Revoker,
	issued authz.Time) introspect.AskerFunc {
	return func(_ context.Context, q introspect.Question) (introspect.Fact, error) {
		f := answer(authz.Claims{Kind: authz.AccessToken, Source: authz.LocalJWT, ID: "j1", SessionID: "s1",
			IssuedAt: issued})
		if f.Endpoint = ""; revoked(q.Token, f.Claims) != introspect.NotRevoked {
			return introspect.Fact{Fact: dialect.Unusable(authz.NotUsable(authz.Revoked, "was revoked"),
				time.Now())}, nil
		}
		return f, nil
	}
}

func TestEV1_ARevocationStopsTokensThatAreValidatedLocally(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		v      authz.Revocation
		issued time.Time
		want   bool
	}{
		"issued before": {authz.Revocation{SessionID: "s1"}, now.Add(-time.Minute), false},
		"issued after the event": {authz.Revocation{SessionID: "s1", At: now.Add(-time.Minute)},
			now.Add(-time.Second), true},
		"issued at the event": {authz.Revocation{SessionID: "s1", At: now.Add(-time.Minute)},
			now.Add(-time.Minute), false},
		"issued at an unknown time": {authz.Revocation{SessionID: "s1", At: now.Add(-time.Minute)}, time.Time{},
			false},
		"itself, though issued later": {authz.Revocation{TokenID: "j1", At: now.Add(-time.Minute)}, now, false},
		"by the token":                {authz.Revocation{Token: secret.New("a")}, now.Add(time.Second), false},
		"all, issued before":          {authz.Revocation{All: true}, now.Add(-time.Minute), false},
		"all, issued later":           {authz.Revocation{All: true, At: now.Add(-time.Hour)}, now, true},
		"another session":             {authz.Revocation{SessionID: "s2"}, now.Add(-time.Minute), true},
		"another session, or the token": {authz.Revocation{SessionID: "s2", TokenID: "j1"}, now.Add(-time.Minute),
			true},
		"an event in milliseconds": {authz.Revocation{SessionID: "s1", At: time.Unix(now.UnixMilli(), 0)},
			now.Add(time.Hour), true},
	} {
		var issued authz.Time
		if !c.issued.IsZero() {
			issued = authz.At(c.issued)
		}
		var one *Cache
		one = open(t, validating(func(tok secret.Text,
			cl ...*authz.Claims) introspect.Revoker {
			return one.revoked.Of(tok, cl...)
		}, issued), nil)
		if !ask(t, one, "a").Active || one.Stats().Active.Entries != 1 {
			t.Errorf("%s: it is not kept", name)
		}
		one.Evict(c.v)
		if got := ask(t, one, "a"); got.Usable(time.Now()).OK() != c.want {
			t.Errorf("%s: it %s", name, got.Usable(time.Now()))
		}
	}
}

func TestEV1_ARevokedJWTIsNotUsedThoughItsValidatorSaysSo(t *testing.T) {
	careless := func(secret.Text, ...*authz.Claims) introspect.Revoker { return introspect.NotRevoked }
	c := open(t, validating(careless, 0), nil)
	ask(t, c, "a")
	c.Evict(authz.Revocation{TokenID: "j1"})
	if f, err := c.Ask(t.Context(), asking("a")); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("claims %+v, error %v", f.Claims, err)
	}
}
