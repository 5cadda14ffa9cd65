package jose_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

var shape = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){2}((\.[A-Za-z0-9_-]*){2})?$`)

func seeds(f *testing.F) {
	for _, r := range recordings(f) {
		for _, tok := range r.Good {
			f.Add(tok)
		}
		for _, tok := range r.Bad {
			f.Add(tok)
		}
		f.Add(r.Encrypted)
	}
	f.Add(b64(`{"alg":"none"}`) + "..")
	f.Add(b64(`{"alg":"ES256","typ":"JWT","crit":["b64"],"b64":false}`) + ".e30.AAAA")
	f.Add(b64(`{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":2147483647,"p2s":"AAAA"}`) + ".AA.AA.AA.AA")
}

// FuzzPeek: what Peek accepts is in the alphabet, its header is what another JSON library reads, and nothing in it can
// forge a line of a log. What it refuses it does not quote. Issuer never finds one where Peek finds nothing.
func FuzzPeek(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		h, err := jose.Peek(s)
		iss, ok := jose.Issuer(s)
		if err != nil {
			if h != (jose.Header{}) || ok || len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Fatalf("%q: %+v, issuer %q, %v", s, h, iss, err)
			}
			return
		}
		if !shape.MatchString(s) || h.Algorithm == "" || (h.Encryption != "") != (strings.Count(s, ".") == 4) {
			t.Fatalf("%q is accepted: %+v", s, h)
		}
		for _, text := range []string{h.Type, h.Algorithm, h.Encryption, h.KeyID} {
			if len(text) > 256 || strings.ContainsFunc(text, unicode.IsControl) {
				t.Fatalf("%q in the header", text)
			}
		}
		parts := strings.Split(s, ".")
		var plain map[string]any
		raw, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil || json.Unmarshal(raw, &plain) != nil || plain["alg"] != h.Algorithm {
			t.Fatalf("%q is no header with alg %q", raw, h.Algorithm)
		}
		if !ok {
			return
		}
		var claims map[string]any
		raw, err = base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.Unmarshal(raw, &claims) != nil || claims["iss"] != iss {
			t.Fatalf("%q has no issuer %q", raw, iss)
		}
	})
}

// FuzzVerify: what verifies was signed by the key, as the standard library sees it.
func FuzzVerify(f *testing.F) {
	seeds(f)
	s := signer(f, "p256", "", "k")
	f.Add(sign(f, s, "JWT", map[string]any{"iss": "a"}))
	f.Add(handmade(f, "p256", "ES256", `{"alg":"ES256","jwk":`+jwk(f, "p256")+`}`, `{"a":1}`))
	public := privates()["p256"].(*ecdsa.PrivateKey).PublicKey
	keys := static(f, string(s.Public()), string(signer(f, "rsa", "RS256", "k").Public()))
	ours := func(s string) bool {
		i := strings.LastIndexByte(s, '.')
		sig, err := base64.RawURLEncoding.DecodeString(s[i+1:])
		if err != nil || len(sig) != 64 {
			return false
		}
		sum := sha256.Sum256([]byte(s[:i]))
		return ecdsa.Verify(&public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := jose.Verify(t.Context(), s, anything, keys)
		if err != nil {
			if got.Claims != nil || len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Fatalf("%q: %v", s, err)
			}
		} else if !ours(s) || !shape.MatchString(s) || got.Claims.Kind() != '{' || !got.Claims.IsValid() {
			t.Fatalf("%q verifies", s)
		}
		embedded, jkt, err := jose.VerifyEmbedded(s, anything)
		if (err == nil) != (jkt != "") || (err == nil) != (embedded.Claims != nil) {
			t.Fatalf("%q: thumbprint %q, %v", s, jkt, err)
		}
	})
}

// FuzzKeys: no key with private members gets a thumbprint or into a set.
func FuzzKeys(f *testing.F) {
	for _, key := range []string{"rsa", "p256", "ed25519"} {
		f.Add(jwk(f, key))
	}
	f.Add(`{"kty":"oct","k":"AAAA"}`)
	f.Add(with(f, jwk(f, "p256"), map[string]any{"d": "AAAA"}))
	f.Fuzz(func(t *testing.T, s string) {
		sum, err := jose.Thumbprint(jsontext.Value(s))
		if _, err2 := jose.StaticKeys(jwks(s)); (err2 == nil) != (err == nil) && json.Valid([]byte(s)) {
			t.Fatalf("%q: a thumbprint: %v, in a set: %v", s, err, err2)
		}
		if err != nil {
			return
		}
		var m map[string]any
		if json.Unmarshal([]byte(s), &m) != nil || len(sum) != 43 || m["d"] != nil || m["k"] != nil {
			t.Fatalf("%q has thumbprint %q", s, sum)
		}
	})
}

// FuzzDecrypt: what comes out is a compact JWS.
func FuzzDecrypt(f *testing.F) {
	seeds(f)
	private := recordings(f)["node-oidc-provider"].Private
	d, err := jose.NewDecrypter(kept(f, secret.New(string(private))), ofEC, allEncryptions)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := d.Decrypt(s)
		if err != nil {
			if got != "" || len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if !shape.MatchString(got) || strings.Count(got, ".") != 2 {
			t.Fatalf("%q holds %q", s, got)
		}
	})
}
