package events

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
)

// oracle says by the standard library alone whether a compact JWS is signed by the provider's key, and returns its claims.
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
	if rsa.VerifyPKCS1v15(&rsaKeys()[0].PublicKey, crypto.SHA256, sum[:], sig) != nil {
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

// offline answers for an issuer without a network, so that fuzzing is about the parsers.
func offline(f *testing.F) (recording, map[string]string) {
	p := &provider{signer: signerOf(f, rsaKeys()[0], "RS256")}
	const iss = "https://as.example"
	rec := recording{Issuer: iss}
	var err error
	if rec.JWKS, err = json.Marshal(map[string]any{"keys": []json.RawMessage{json.RawMessage(p.signer.Public())}}); err != nil {
		f.Fatal(err)
	}
	if rec.SSF, err = json.Marshal(map[string]any{"issuer": iss, "jwks_uri": iss + "/jwks"}); err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0).Unix()
	return rec, map[string]string{
		"logout": sign(f, p.signer, "logout+jwt", map[string]any{"iss": iss, "aud": testClient, "iat": now, "exp": now + 60, "jti": "1", "sub": "alice", "events": map[string]any{logoutEvent: map[string]any{}}}),
		"set":    sign(f, p.signer, "secevent+jwt", map[string]any{"iss": iss, "aud": streamAud, "iat": now, "jti": "1", "events": map[string]any{sessionRevoked: map[string]any{}}, "sub_id": issSub(iss, "alice")}),
		"admin":  sign(f, p.signer, "JWT", map[string]any{"id": "1", "expiration": now + 30, "resource": "orders-api", "action": "LOGOUT"}),
		"other":  sign(f, p.signer, "secevent+jwt", map[string]any{"iss": iss, "aud": "another", "iat": now, "jti": "1", "events": map[string]any{sessionRevoked: map[string]any{}}, "sub_id": issSub(iss, "alice")}),
		"alien":  sign(f, signerOf(f, rsaKeys()[1], "RS256"), "secevent+jwt", map[string]any{"iss": iss, "aud": streamAud, "iat": now, "jti": "1", "events": map[string]any{sessionRevoked: map[string]any{}}, "sub_id": issSub(iss, "alice")}),
	}
}

// FuzzWhateverEvictsWasSignedAndMeantForUs sends bytes to every receiver. The property: whatever evicts was signed by the
// key of the transmitter, and addressed to us in the way of that receiver.
func FuzzWhateverEvictsWasSignedAndMeantForUs(f *testing.F) {
	rec, tokens := offline(f)
	for _, tok := range tokens {
		f.Add(tok)
		f.Add(tok + ".")
		f.Add("logout_token=" + tok)
		f.Add("logout_token=" + tok + "&logout_token=" + tok)
		f.Add(strings.Replace(tok, ".", ".e30", 1))
	}
	f.Add("")
	rs, l := replay(f, rec, 1_800_000_000, nil)
	evicts := func(send func()) bool {
		before := len(l.all())
		send()
		return len(l.all()) > before
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, s := range rs.sources[0].sinks {
			s.seen = newMemory(16)
		}
		if evicts(func() { postSet(t, rs, body) }) {
			if c, ok := oracle(body); !ok || c["iss"] != rec.Issuer || !meant(c["aud"], streamAud) {
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

// FuzzClaimsOfTheTransmitter signs whatever it is given. The property: what evicts names us as its audience and its issuer
// as its issuer, and each revocation names something, and is not of the future.
func FuzzClaimsOfTheTransmitter(f *testing.F) {
	rec, tokens := offline(f)
	for _, tok := range tokens {
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(tok, ".")[1])
		f.Add(payload)
	}
	f.Add([]byte(`{"iss":"https://as.example","aud":["rs-ssf/stream-1"],"iat":1.8e9,"jti":"1","events":{"` + sessionRevoked + `":{"event_timestamp":1e15}},"sub_id":{"format":"complex","user":{"format":"aliases","identifiers":[{"format":"email","email":"a@b"}]},"session":{"format":"opaque","id":"ALL"}}}`))
	s := signerOf(f, rsaKeys()[0], "RS256")
	rs, l := replay(f, rec, 1_800_000_000, nil)
	f.Fuzz(func(t *testing.T, claims []byte) {
		var m map[string]any
		if json.Unmarshal(claims, &m) != nil {
			return
		}
		tok, err := s.Sign("secevent+jwt", json.RawMessage(claims))
		if err != nil {
			return
		}
		rs.sources[0].stream.sink.seen = newMemory(16)
		l.mu.Lock()
		l.evicted = nil
		l.mu.Unlock()
		w := postSet(t, rs, tok.Reveal())
		evicted := l.all()
		if len(evicted) > 0 && (w.Code != http.StatusAccepted || m["iss"] != rec.Issuer || !meant(m["aud"], streamAud)) {
			t.Fatalf("status %d for %s", w.Code, claims)
		}
		for _, r := range evicted {
			if !nameable(r) || r.All || r.Issuer != testName || r.At.Unix() > 1_800_000_000 {
				t.Fatalf("revocation %+v for %s", r, claims)
			}
		}
	})
}
