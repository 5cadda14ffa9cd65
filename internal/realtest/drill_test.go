//go:build real

package realtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// party is an authorization server that runs, and how its tokens are got and ended.
type party struct {
	name string
	// issuer is its part of the configuration.
	issuer string
	// secret is the sidecar's.
	secret string
	// policies is the directory of policies that fit what the server says; empty for the shipped ones.
	policies string
	// ways are further ways to authenticate, in the words of the configuration of a client, by their names. Nil is for
	// servers whose own tests look at that.
	ways map[string]string
	// lacks names the columns of the table that the server cannot fill, and says why.
	lacks map[string]string
	// service gets a token for orders:read that speaks for a client, where the server has such tokens. foreign says
	// that it is for another API.
	service func(t *testing.T, aud audience) string
	// login gets tokens that speak for the user alice, for orders:read.
	login func(t *testing.T) session
	// revoke ends one access token, as its client would (RFC 7009).
	revoke func(t *testing.T, token string)
	// logout ends a session and all its tokens.
	logout func(t *testing.T, s session)
	// stop ends the server.
	stop func(t *testing.T)
	// asService and asUser are what policies must read about the two.
	asService, asUser facts
}

type audience string

const (
	ours    audience = "orders-api"
	foreign audience = "shipping-api"
)

// session is what a login gives. id is empty where the server knows no ID tokens.
type session struct{ access, refresh, id string }

// TestAuthorizationServers is the same drill against each server, after what only this server has. That of Keycloak is
// a part of TestKeycloak, which starts it only once.
func TestAuthorizationServers(t *testing.T) {
	t.Parallel()
	t.Run("node oidc-provider", func(t *testing.T) {
		v := vault{}
		p := startOIDCProvider(t, v, nowhere)
		p.features(t)
		drill(t, v, p.party())
	})
	t.Run("fosite", func(t *testing.T) {
		v := vault{}
		f := startFosite(t, v)
		t.Run("INT20 without dialect hydra nothing tells a refresh token", func(t *testing.T) { f.unmarked(t, v) })
		t.Run("JAT a JWT access token is validated locally, asked about, or both", func(t *testing.T) {
			results.set(f.party().name, jwtColumn, f.structured(t).String()+" (validated locally, and asked about)")
		})
		drill(t, v, f.party())
	})
	t.Run("zitadel oidc", func(t *testing.T) {
		v := vault{}
		z := startZitadel(t, v)
		t.Run("JAT a JWT access token is validated locally, and asked about", func(t *testing.T) {
			results.set(z.party().name, jwtColumn,
				z.structured(t).String()+" (asked about; validated locally it has no scope)")
		})
		drill(t, v, z.party())
	})
	t.Run("django-oauth-toolkit", func(t *testing.T) {
		v := vault{}
		drill(t, v, startDjangoToolkit(t, v).party())
	})
	t.Run("Spring Authorization Server", func(t *testing.T) {
		v := vault{}
		s := startSpring(t, v)
		s.features(t)
		drill(t, v, s.party())
	})
}

// get is the question that a good token may ask.
func get(token string) question { return question{token, "GET", "/orders/42", "acme"} }

// drillRun is one drill: a sidecar, the server it asks, and tokens that are good when it begins.
type drillRun struct {
	vault   vault
	party   party
	sidecar *sidecar
	good    string
	user    session
}

// setup is a sidecar that asks this server.
func (p party) setup() setup { return setup{issuer: p.issuer, secret: p.secret, policies: p.policies} }

func drill(t *testing.T, v vault, p party) {
	r := &drillRun{vault: v, party: p, sidecar: startSidecar(t, v, p.setup()), good: p.service(t, ours),
		user: p.login(t)}
	for column, why := range p.lacks {
		results.set(p.name, column, why)
	}
	r.allowed(t)
	r.authenticated(t)
	r.denied(t)
	r.refused(t)
	r.ended(t)
	r.faults(t)
}

// expect asks, notes the answer in a column of the table when one is named, and compares it.
func (r *drillRun) expect(t *testing.T, column string, q question, want string) answer {
	t.Helper()
	a := r.sidecar.decide(t, q)
	if column != "" {
		results.set(r.party.name, column, a.String())
	}
	if a.String() != want {
		t.Fatalf("%s %s: %s, want %s", q.method, q.path, a, want)
	}
	return a
}

func (r *drillRun) allowed(t *testing.T) {
	t.Run("a good token is allowed", func(t *testing.T) {
		a := r.expect(t, opaqueColumn, get(r.good), "allow 200")
		if got := strings.Join(a.Upstream["X-Tenant"], ", "); got != r.party.asService.Tenant {
			t.Errorf("the upstream is told the tenant %q", got)
		}
		checkFacts(t, r.sidecar.logged(t, a.ID), r.party.asService)
	})
	t.Run("a user's token is allowed", func(t *testing.T) {
		a := r.expect(t, "", get(r.user.access), "allow 200")
		checkFacts(t, r.sidecar.logged(t, a.ID), r.party.asUser)
	})
}

func (r *drillRun) authenticated(t *testing.T) {
	if r.party.ways == nil {
		return
	}
	worked := []string{"client_secret_basic"} // by which all else is asked
	for _, way := range slices.Sorted(maps.Keys(r.party.ways)) {
		t.Run("CA "+way, func(t *testing.T) {
			s := r.party.setup()
			s.issuer = strings.Replace(s.issuer, "client: {", "client: {"+r.party.ways[way]+", ", 1)
			if a := startSidecar(t, r.vault, s).decide(t, get(r.good)); a.String() != "allow 200" {
				t.Fatalf("%s, want allow 200", a)
			}
			worked = append(worked, way)
		})
	}
	results.set(r.party.name, authColumn, strings.Join(worked, ", "))
}

func (r *drillRun) denied(t *testing.T) {
	t.Run("BR4 a scope that is missing is denied and named", func(t *testing.T) {
		a := r.expect(t, "scope", question{r.good, "POST", "/orders", "acme"}, "deny 403 insufficient_scope")
		checkChallenge(t, a, `Bearer realm="acme", error="insufficient_scope", scope="orders:write"`)
	})
	t.Run("INT11 a token for another audience is refused", func(t *testing.T) {
		a := r.expect(t, "audience", get(r.party.service(t, foreign)), "unauthenticated 401 invalid_token")
		checkChallenge(t, a, invalidToken)
	})
	if r.party.policies != "" {
		return // what follows is about the shipped policies
	}
	t.Run("a route for another audience is refused", func(t *testing.T) {
		a := r.expect(t, "", question{r.good, "GET", "/shipments", "acme"}, "deny 401 wrong_audience")
		checkChallenge(t, a, invalidToken)
	})
	t.Run("another tenant is denied, and no other token would help", func(t *testing.T) {
		a := r.expect(t, "tenant", question{r.good, "GET", "/orders/42", "globex"}, "deny 403 wrong_tenant")
		checkChallenge(t, a, "")
	})
}

func (r *drillRun) refused(t *testing.T) {
	t.Run("BR3 no token is told how to get in, without an error", func(t *testing.T) {
		a := r.expect(t, "", get(""), "unauthenticated 401 no_credential")
		checkChallenge(t, a, `Bearer realm="acme", `+dpopOffer)
	})
	for _, c := range []struct{ name, column, token string }{
		{"INT7 rubbish is refused", "", "an-opaque-token-that-was-not-issued"},
		{"INT8b JWT-shaped rubbish is refused", "", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl"},
		{"INT20 a refresh token is refused", "refresh token", r.user.refresh},
		{"INT20 an ID token is refused", "ID token", r.user.id},
	} {
		if r.party.lacks[c.column] != "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			checkChallenge(t, r.expect(t, c.column, get(c.token), "unauthenticated 401 invalid_token"), invalidToken)
		})
	}
}

func (r *drillRun) ended(t *testing.T) {
	t.Run("a revoked token is refused when the cache has forgotten it", func(t *testing.T) {
		token := r.party.service(t, ours)
		r.expect(t, "", get(token), "allow 200")
		r.party.revoke(t, token)
		begun := time.Now()
		results.set(r.party.name, "revoked", awaitRefusal(t, r.sidecar, token).String())
		results.set(r.party.name, revokedColumn, strconv.FormatInt(time.Since(begun).Milliseconds(), 10))
		r.expect(t, "", get(r.good), "allow 200")
	})
	t.Run("a session that has ended is refused when the cache has forgotten it", func(t *testing.T) {
		r.expect(t, "", get(r.user.access), "allow 200")
		r.party.logout(t, r.user)
		awaitRefusal(t, r.sidecar, r.user.access)
	})
}

func (r *drillRun) faults(t *testing.T) {
	t.Run("INT8 a wrong secret is the operator's fault and not the caller's", func(t *testing.T) {
		wrong := startSidecar(t, r.vault,
			setup{issuer: r.party.issuer, secret: r.vault.secret("wrong secret"), policies: r.party.policies})
		for range 2 { // not kept: asked again, answered the same
			a := wrong.decide(t, get(r.good))
			results.set(r.party.name, "wrong secret", a.String())
			if a.String() != "misconfigured 503 misconfigured" {
				t.Errorf("%s, want misconfigured 503", a)
			}
			checkChallenge(t, a, "")
		}
		if n := wrong.asked(t, "misconfigured"); n != 2 {
			t.Errorf("the metrics count %d refusals, want 2", n)
		}
	})
	t.Run("INT9 a server that is gone makes unknown tokens unavailable", func(t *testing.T) {
		unknown := r.party.service(t, ours)
		r.party.stop(t)
		a := r.expect(t, "", get(unknown), "unavailable 503 temporarily_unavailable")
		if n, err := strconv.Atoi(a.header("Retry-After")); err != nil || n < 1 {
			t.Errorf("Retry-After: %q", a.header("Retry-After"))
		}
		checkChallenge(t, a, "")
	})
}

// awaitRefusal asks until a token that was allowed is refused: the cache may answer for a second more.
func awaitRefusal(t *testing.T, sc *sidecar, token string) answer {
	t.Helper()
	var a answer
	testkit.Within(t, 10*time.Second, "see the token refused", func() bool {
		a = sc.decide(t, get(token))
		return !a.Allow
	})
	if a.String() != "unauthenticated 401 invalid_token" {
		t.Errorf("%s, want unauthenticated 401 invalid_token", a)
	}
	return a
}

// invalidToken is the challenge of a token that may not be used.
const invalidToken = `Bearer realm="acme", error="invalid_token", ` + dpopOffer

// dpopOffer tells a client without DPoP that it could use that: DPOP-19.
const dpopOffer = `DPoP realm="acme", ` + dpopAlgorithms

const dpopAlgorithms = `algs="ES256 ES384 ES512 EdDSA Ed25519 PS256 PS384 PS512 RS256"`

// checkChallenge compares WWW-Authenticate. It is empty where the caller can do nothing about the answer.
func checkChallenge(t *testing.T, a answer, want string) {
	t.Helper()
	if got := a.header("WWW-Authenticate"); got != want {
		t.Errorf("WWW-Authenticate: %s, want %s", got, want)
	}
}

// someID stands for an identifier that is not known ahead and must be there.
const someID = "(some identifier)"

// checkFacts compares what the policy read with what it must read. A kind that is left out is that of an access token,
// and a source that is left out is introspection.
func checkFacts(t *testing.T, got, want facts) {
	t.Helper()
	if want.Subject.ID == someID {
		if got.Subject.ID == "" {
			t.Error("the subject has no id")
		}
		want.Subject.ID = got.Subject.ID
	}
	want.Active = true
	if want.Source == "" {
		want.Source = "introspection"
	}
	if want.Kind == "" {
		want.Kind = "access"
	}
	if want.Binding.Method == "" {
		want.Binding.Method = "none"
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("the policy read\n  %s, want\n  %s", g, w)
	}
}
