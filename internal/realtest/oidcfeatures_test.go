//go:build real

package realtest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// features is what oidc-provider has besides what the drill asks of every server.
func (p *oidcProvider) features(t *testing.T) {
	name := p.party().name
	t.Run("JAT a JWT access token is validated locally", func(t *testing.T) {
		results.set(name, jwtColumn, p.validated(t).String()+" (validated locally)")
	})
	t.Run("INT8b JWT-shaped rubbish is no fault of the server", p.flooded)
	t.Run("JWI a signed answer", func(t *testing.T) { results.set(name, signedColumn, p.signedAnswers(t)) })
	opaque := p.party().setup()
	local := setup{issuer: p.issuerWith("    mode: jwt")}
	t.Run("DPOP an opaque token that is bound to a key", func(t *testing.T) {
		results.set(name, dpopColumn, drillDPoP(t, p.vault, opaque, p.dpopToken).String())
		drillNonces(t, p.vault, opaque, p.dpopToken)
	})
	t.Run("DPOP a JWT that is bound to a key", func(t *testing.T) {
		drillDPoP(t, p.vault, local, func(t *testing.T,
			key *ecdsa.PrivateKey) string {
			return p.dpopTokenFor(t, key, jwtResource)
		})
	})
	mine, other := p.ca.Client(t, "orders-bound.acme.example"), p.ca.Client(t, "orders-bound.acme.example")
	t.Run("MTLS an opaque token that is bound to a certificate", func(t *testing.T) {
		results.set(name, mtlsColumn, drillCertificates(t, p.vault, opaque, mine, other, p.boundToken).String())
	})
	t.Run("MTLS a JWT that is bound to a certificate", func(t *testing.T) {
		drillCertificates(t, p.vault, local, mine, other,
			func(t *testing.T, c testkit.Certificate) string { return p.boundTokenFor(t, c, jwtResource) })
	})
	t.Run("CA each way to authenticate", func(t *testing.T) { results.set(name, authColumn, p.authenticated(t)) })
	t.Run("a key is rotated under load", p.rotatedKey)
	t.Run("a certificate is rotated under load", p.rotatedCertificate)
	t.Run("an authority is rotated under load", p.rotatedAuthority)
}

// asAPI is the sidecar as the client api, and what else its issuer is told.
func (p *oidcProvider) asAPI(more string) setup {
	return setup{issuer: p.issuerWith(fmt.Sprintf("    client: {id: %q, secret: {env: CLIENT_SECRET}}\n",
		p.api.id) + more), secret: p.api.secret}
}

// validated looks at JWTs here: the server introspects none of them.
func (p *oidcProvider) validated(t *testing.T) answer {
	hybrid := startSidecar(t, p.vault, p.asAPI("    mode: introspect_opaque"))
	token := p.jwtToken(t)
	a := hybrid.decide(t, get(token))
	if a.String() != "allow 200" {
		t.Fatalf("introspect_opaque, JWT: %s, want allow 200", a)
	}
	want := p.party().asService
	want.Source = "jwt"
	checkFacts(t, hybrid.logged(t, a.ID), want)
	opaque := p.service(t, ours)
	s := p.login(t)
	local := startSidecar(t, p.vault, setup{issuer: p.issuerWith("    mode: jwt")})
	const allow, refuse = "allow 200", "unauthenticated 401 invalid_token"
	for _, c := range []struct {
		name    string
		sidecar *sidecar
		token   string
		want    string
	}{
		{"introspect_opaque, opaque", hybrid, opaque, allow},
		{"introspect_opaque, refresh token", hybrid, s.refresh, refuse},
		{"introspect_opaque, ID token", hybrid, s.id, refuse},
		{"introspect_opaque, changed JWT", hybrid, changed(t, token), refuse},
		{"jwt, JWT", local, token, allow},
		{"jwt, opaque", local, opaque, refuse},
		{"jwt, ID token", local, s.id, refuse},
		{"jwt, changed JWT", local, changed(t, token), refuse},
		{"jwt, cut JWT", local, token[:len(token)-20], refuse},
		{"introspect, JWT", startSidecar(t, p.vault, p.asAPI("")), token, refuse}, // its server answers 400 about it
		{"jwt_then_introspect, JWT", startSidecar(t, p.vault, p.asAPI("    mode: jwt_then_introspect")), token,
			refuse},
	} {
		if a := c.sidecar.decide(t, get(c.token)); a.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, a, c.want)
		}
	}
	return a
}

// changed is a JWT with another scope, under the old signature.
func changed(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	claims["scope"] = "orders:read orders:write"
	if payload, err = json.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.Join(parts, ".")
}

// flooded sends much that looks like a JWT of this server, which answers 400 each time. Each is a bad token and
// nothing else: good ones go on, also those that were never seen before.
func (p *oidcProvider) flooded(t *testing.T) {
	sc := startSidecar(t, p.vault, p.asAPI(""))
	known, unknown := p.service(t, ours), p.service(t, ours)
	if a := sc.decide(t, get(known)); a.String() != "allow 200" {
		t.Fatalf("%s, want allow 200", a)
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"at+jwt"}`))
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"` + p.issuer + `"}`))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				rubbish := header + "." + payload + "." + rand.Text()
				if a := sc.decide(t, get(rubbish)); a.String() != "unauthenticated 401 invalid_token" {
					t.Errorf("rubbish: %s, want unauthenticated 401 invalid_token", a)
				}
			}
		})
	}
	wg.Wait()
	if n := sc.asked(t, "inactive"); n != 200 {
		t.Errorf("the server was asked about %d of 200 pieces of rubbish", n)
	}
	for name, token := range map[string]string{"known": known, "never seen": unknown} {
		if a := sc.decide(t, get(token)); a.String() != "allow 200" {
			t.Errorf("a good token, %s: %s, want allow 200", name, a)
		}
	}
}

// signedAnswers asks for answers after RFC 9701. The server gives a signed one to every client that asks, by RS256
// where nothing else is registered.
func (p *oidcProvider) signedAnswers(t *testing.T) string {
	dir := t.TempDir()
	key := testkit.KeyPEM(t, p.decryption)
	decryption := testkit.WriteFile(t, filepath.Join(dir, "decryption.pem"), key)
	with := func(c oauthClient, response string) setup {
		return setup{secret: c.secret, issuer: p.issuerWith(
			fmt.Sprintf(`    client: {id: %q, secret: {env: CLIENT_SECRET}}
    require_signed: true
    signed_response: {%s}`, c.id, response))}
	}
	opening := fmt.Sprintf("algorithms: [ES256], decryption_key: {file: %q}, encryption_algorithms: [ECDH-ES], "+
		"encryption_encodings: [A128GCM]", decryption)
	const allow, fault = "allow 200", "misconfigured 503 misconfigured"
	for _, c := range []struct {
		name  string
		setup setup
		want  string
	}{
		{"signed", with(p.signed, "algorithms: [ES256]"), allow},
		{"signed and encrypted", with(p.encrypted, opening), allow},
		{"nothing registered: RS256", with(p.api, "algorithms: [RS256]"), allow},
		{"JWI-4 signed by another algorithm", with(p.api, "algorithms: [ES256]"), fault},
		{"JWI-6 for another client", with(p.signed, "algorithms: [ES256], audience: orders-other"), fault},
		{"JWI-5 encrypted, and no key to open it", with(p.encrypted, "algorithms: [ES256]"), fault},
		{"JWI-5 signed only, where encryption was agreed upon", with(p.signed, opening), fault},
	} {
		sc := startSidecar(t, p.vault, c.setup)
		token := p.service(t, ours)
		a := sc.decide(t, get(token))
		if a.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, a, c.want)
		}
		if c.want != allow {
			checkChallenge(t, a, "")
			continue
		}
		checkFacts(t, sc.logged(t, a.ID), p.party().asService)
		p.party().revoke(t, token)
		awaitRefusal(t, sc, token)
	}
	return "allow 200, encrypted too"
}
