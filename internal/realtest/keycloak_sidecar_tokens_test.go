//go:build real

package realtest

import (
	"crypto/ecdsa"
	"fmt"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// sidecarAuthenticates asks by each method that Keycloak knows, rightly and wrongly.
func (k *keycloak) sidecarAuthenticates(t *testing.T) {
	keyFile := func(c keyClient, id string) string {
		file := testkit.TempFile(t, "tls.key", testkit.KeyPEM(t, c.key))
		return fmt.Sprintf("key: {file: %q}, key_id: %q", file, id)
	}
	id, another := testkit.ProofKeyOf(t, k.keyJWT.key).Thumbprint, keyClient{key: testkit.NewKey(t)}
	certificateFiles := func(c testkit.Certificate) string {
		certificate, key := c.Files(t)
		return fmt.Sprintf("certificate_file: %q, certificate_key: {file: %q}", certificate, key)
	}
	const secret = "secret: {env: CLIENT_SECRET}"
	token := k.userTokens(t, k.app, k.newUser(t), toReadOnAll).access
	var worked []string
	for _, c := range []struct{ method, id, secret, right, wrong string }{
		{"client_secret_basic", k.api.id, k.api.secret, secret, secret},
		{"client_secret_post", k.api.id, k.api.secret, secret, secret},
		{"client_secret_jwt", k.secretJWT.id, k.secretJWT.secret, secret, secret},
		{"private_key_jwt", k.keyJWT.id, "", keyFile(k.keyJWT, id), keyFile(another, id)},
		{"private_key_jwt, key not registered", k.keyJWT.id, "", keyFile(k.keyJWT, id),
			keyFile(another, testkit.ProofKeyOf(t, another.key).Thumbprint)},
		{"tls_client_auth", k.tls.id, "", certificateFiles(k.tls.certificate),
			certificateFiles(k.ca.Client(t, "other.acme.example"))},
	} {
		t.Run(c.method, func(t *testing.T) {
			method, _, _ := strings.Cut(c.method, ",")
			as := func(credential, secret string) *sidecar {
				return k.sidecar(t, keycloakSidecar{
					client: fmt.Sprintf("id: %q, auth: %s, %s", c.id, method, credential), secret: secret,
					issuer: fmt.Sprintf("    audience: [%q, orders-api]", c.id),
				})
			}
			as(c.right, c.secret).expectOf(t, "right", token, allowed)
			wrong := as(c.wrong, k.vault.secret("wrong secret"))
			wrong.expectOf(t, "wrong", token, unasked)
			wrong.expectOf(t, "wrong, about rubbish", "rubbish-that-was-not-issued", unasked)
		})
		if !strings.Contains(c.method, ",") {
			worked = append(worked, c.method)
		}
	}
	results.set(k.party().name, authColumn, strings.Join(worked, ", "))
	tell(t, "client authentication", "%s: right allow 200, wrong %s", strings.Join(worked, ", "), unasked)
}

// sidecarModes looks at all forms of tokens in all modes.
func (k *keycloak) sidecarModes(t *testing.T) {
	u := k.newUser(t)
	app := k.newApp(t)
	s, kept := k.userTokens(t, app, u, toRead), k.userTokens(t, app, u, offline)
	light := k.userTokens(t, k.newApp(t, lightweightTokens), u, toRead).access
	typed := k.userTokens(t, k.newApp(t, typedTokens), u, toRead).access
	foreign := k.userTokens(t, k.other, u, toRead).access
	for _, m := range []struct{ mode, more, plain, light string }{
		{"introspect", "", allowed, allowed},
		// A lightweight token names no audience, so that the sidecar cannot tell whom it is for.
		{"jwt", "", allowed, refused},
		{"jwt_then_introspect", "", allowed, refused},
		{"introspect_opaque", "", allowed, refused},
		{"jwt", "types: [at+jwt]", refused, refused},
		{"jwt_then_introspect", "types: [at+jwt]", refused, refused},
	} {
		name := strings.TrimSpace(m.mode + " " + m.more)
		t.Run(name, func(t *testing.T) {
			sc := k.sidecar(t, keycloakSidecar{issuer: fmt.Sprintf("    mode: %s\n    jwt: {%s}", m.mode, m.more)})
			sc.expectOf(t, "access token", s.access, m.plain)
			sc.expectOf(t, "access token of an offline session", k.refreshed(t, app, kept).access, m.plain)
			sc.expectOf(t, "at+jwt", typed, allowed)
			sc.expectOf(t, "lightweight token", light, m.light)
			sc.expectOf(t, "refresh token", s.refresh, refused)
			sc.expectOf(t, "offline token", kept.refresh, refused)
			sc.expectOf(t, "ID token", s.id, refused)
			sc.expectOf(t, "token without audience", foreign, refused)
			sc.expectOf(t, "changed token", tampered(t, s.access), refused)
			results.set(k.party().name, jwtColumn, allowed+" (in each mode)")
			tell(t, "mode "+name, "JWT %s, at+jwt %s, lightweight %s; refresh, offline, ID token, other audience %s",
				m.plain, allowed, m.light, refused)
		})
	}
}

// tampered is a JWT with another signature.
func tampered(t *testing.T, token string) string {
	t.Helper()
	at := strings.LastIndex(token, ".") + 5
	flipped := byte('A')
	if token[at] == flipped {
		flipped = 'B'
	}
	return token[:at] + string(flipped) + token[at+1:]
}

// sidecarAudience asks about tokens that Keycloak does not tell this client of, and lets the doctor say so.
func (k *keycloak) sidecarAudience(t *testing.T) {
	foreign := k.userTokens(t, k.other, k.newUser(t), toRead).access
	sc, cmd := k.sidecarCommand(t, keycloakSidecar{})
	sc.run(t, k.vault, cmd)
	sc.expectOf(t, "a token without audience", foreign, refused)
	file := cmd.Args[len(cmd.Args)-1]
	code, said := k.command(t, foreign, "introspect", "--config", file)
	if code == 0 || !strings.Contains(said, "audience mapper") || !strings.Contains(said, `"orders-api"`) {
		t.Errorf("the doctor ends with %d and says\n%s", code, said)
	}
	code, said = k.command(t, k.userTokens(t, k.app, k.alice, toRead).access, "introspect", "--config", file)
	if code != 0 || !strings.Contains(said, `"active": true`) {
		t.Errorf("of a good token the doctor ends with %d and says\n%s", code, said)
	}
	tell(t, "audience", "a token without the sidecar in aud: %s; the doctor names the audience mapper", refused)
}

// sidecarDPoP shows a token that is bound to a key.
func (k *keycloak) sidecarDPoP(t *testing.T) {
	app, u := k.newApp(t, dpopTokens), k.newUser(t)
	for _, mode := range []string{"introspect", "jwt", "jwt_then_introspect"} {
		t.Run(mode, func(t *testing.T) {
			sc := k.sidecar(t, keycloakSidecar{issuer: "    mode: " + mode})
			key := testkit.NewKey(t)
			token := k.dpopTokens(t, app, key, u.as(toRead)).access
			prove := func(by *ecdsa.PrivateKey, target string) presented {
				return presented{scheme: "DPoP", proof: testkit.ProofKeyOf(t, by).Proof(t, "GET", target, token, nil)}
			}
			used := prove(key, ordersURL)
			const badProof = "unauthenticated 401 invalid_dpop_proof"
			for _, c := range []struct {
				name  string
				shown presented
				want  string
			}{
				{"its own proof", used, allowed},
				{"the same proof again", used, badProof},
				{"a proof by another key", prove(testkit.NewKey(t), ordersURL), refused},
				{"a proof for another URL", prove(key, ordersURL+"0"), badProof},
				{"no proof", presented{scheme: "DPoP"}, badProof},
				{"as a bearer token", presented{}, refused},
				{"as a bearer token, with a proof", presented{proof: prove(key, ordersURL).proof}, refused},
				{"another proof of its own", prove(key, ordersURL), allowed},
			} {
				if a := sc.present(t, token, c.shown); a.String() != c.want {
					t.Errorf("%s: %s, want %s", c.name, a, c.want)
				}
			}
			results.set(k.party().name, dpopColumn, allowed)
			tell(t, "DPoP, "+mode, "its own proof %s; replayed, other URL or none %s; other key, as Bearer %s",
				allowed, badProof, refused)
		})
	}
}

// sidecarCertificates shows a token that is bound to a certificate.
func (k *keycloak) sidecarCertificates(t *testing.T) {
	app, u := k.newApp(t, boundTokens), k.newUser(t)
	mine, other := k.ca.Client(t, "orders-bound.acme.example"), k.ca.Client(t, "orders-bound.acme.example")
	right := mine.PEM()
	wrong := other.PEM()
	for _, mode := range []string{"introspect", "jwt", "jwt_then_introspect"} {
		t.Run(mode, func(t *testing.T) {
			token := k.certificateTokens(t, app, mine, u.as(toRead)).access
			sc := k.sidecar(t, keycloakSidecar{issuer: "    mode: " + mode, more: "proof: {mtls: {from: request}}"})
			for _, c := range []struct {
				name  string
				shown presented
				want  string
			}{
				{"its certificate", presented{certificate: right}, allowed},
				{"another certificate of the same name", presented{certificate: wrong}, refused},
				{"no certificate", presented{}, refused},
				{"its certificate, as DPoP", presented{scheme: "DPoP", certificate: right}, refused},
			} {
				if a := sc.present(t, token, c.shown); a.String() != c.want {
					t.Errorf("%s: %s, want %s", c.name, a, c.want)
				}
			}
			closed := k.sidecar(t, keycloakSidecar{issuer: "    mode: " + mode})
			if a := closed.present(t, token, presented{certificate: right}); a.String() != refused {
				t.Errorf("where no certificate is requested: %s, want %s", a, refused)
			}
			results.set(k.party().name, mtlsColumn, allowed)
			tell(t, "mTLS, "+mode, "its certificate %s; another, none %s", allowed, refused)
		})
	}
}
