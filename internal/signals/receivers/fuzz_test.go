package receivers

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

// oracle says by the standard library alone whether a compact JWS is signed by the key of the transmitter, and returns
// its claims.
func oracle(tok string) (map[string]any, bool) {
	parts := strings.Split(tok, ".")
	if len(parts) != 3 {
		return nil, false
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&transmitter.Key().PublicKey, crypto.SHA256, sum[:], sig) != nil {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return nil, false
	}
	return claims, true
}

func meant(aud any, want string) bool {
	if list, ok := aud.([]any); ok {
		return slices.Contains(list, any(want))
	}
	return aud == want
}

// offline answers for an issuer without a network, so that fuzzing is about the parsers. It returns its answers, and
// signed tokens of each kind.
func offline(f *testing.F) (transmitter.Recording, map[string]string) {
	const iss = "https://as.example"
	signer, rec := transmitter.Signer(f, "RS256"), transmitter.Recording{Issuer: iss}
	rec.JWKS = json.RawMessage(jwks.Document(string(signer.Public())))
	rec.SSF = json.RawMessage(`{"issuer":"` + iss + `","jwks_uri":"` + iss + `/jwks"}`)
	now := time.Unix(1_800_000_000, 0).Unix()
	event := func(audience string) map[string]any {
		return map[string]any{
			"iss": iss, "aud": audience, "iat": now, "jti": "1",
			"events": map[string]any{
				"https://schemas.openid.net/secevent/caep/event-type/session-revoked": map[string]any{}},
			"sub_id": map[string]any{"format": "iss_sub", "iss": iss, "sub": "alice"},
		}
	}
	return rec, map[string]string{
		"logout": jwks.Sign(f, signer, "logout+jwt", map[string]any{
			"iss": iss, "aud": testClient, "iat": now, "exp": now + 60, "jti": "1", "sub": "alice",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}),
		"set":   jwks.Sign(f, signer, "secevent+jwt", event(transmitter.StreamAudience)),
		"other": jwks.Sign(f, signer, "secevent+jwt", event("another")),
		"alien": jwks.Sign(f, transmitter.OtherSigner(f, "RS256"), "secevent+jwt", event(transmitter.StreamAudience)),
		"admin": jwks.Sign(f, signer, "JWT", map[string]any{
			"id": "1", "expiration": now + 30, "resource": "orders-api", "action": "LOGOUT",
		}),
	}
}

// FuzzASignalThatEvictsIsSignedAndForThisReceiver sends bytes to every receiver. The property: what evicts is signed
// by the key of the transmitter, and addressed to this receiver in the way of its kind.
func FuzzASignalThatEvictsIsSignedAndForThisReceiver(f *testing.F) {
	rec, tokens := offline(f)
	for _, tok := range tokens {
		f.Add(tok)
		f.Add(tok + ".")
		f.Add("logout_token=" + tok)
		f.Add("logout_token=" + tok + "&logout_token=" + tok)
		f.Add(strings.Replace(tok, ".", ".e30", 1))
	}
	f.Add("")
	issuer, cfg := transmitter.Issuer(f, rec.Issuer), testConfig(f)
	issuer.JWKSURI = rec.Issuer + "/jwks"
	f.Fuzz(func(t *testing.T, body string) {
		rs, l := openAt(t, issuer, cfg, signals.Deps{
			Now:       func() time.Time { return time.Unix(1_800_000_000, 0) },
			Transport: transmitter.Transport(rec.Network),
		})
		evicts := func(send func()) bool {
			before := len(l.All())
			send()
			return len(l.All()) > before
		}
		if evicts(func() { postSet(t, rs, body) }) {
			if c, ok := oracle(body); !ok || c["iss"] != rec.Issuer || !meant(c["aud"], transmitter.StreamAudience) {
				t.Fatalf("security event %q", body)
			}
		}
		if evicts(func() { post(t, rs, "keycloak/k_logout", "text/plain", "", body) }) {
			if c, ok := oracle(body); !ok || c["resource"] != "orders-api" || c["action"] != "LOGOUT" {
				t.Fatalf("admin message %q", body)
			}
		}
		if evicts(func() { postLogout(t, rs, body) }) {
			if c, ok := oracle(body); !ok || c["iss"] != rec.Issuer || !meant(c["aud"], testClient) {
				t.Fatalf("logout token %q", body)
			}
		}
		w := post(t, rs, "backchannel-logout", "application/x-www-form-urlencoded", "", body)
		if w.Code == http.StatusOK {
			if _, rest, _ := strings.Cut(body, "logout_token="); !strings.Contains(rest, ".") {
				t.Fatalf("form %q", body)
			}
		}
	})
}
