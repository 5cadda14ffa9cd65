package jose_test

import (
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// handmade signs any header and any payload with a key of the tests, as go-jose would not.
func handmade(t testing.TB, key, alg, header, payload string) string {
	t.Helper()
	return seal(t, key, alg, b64(header)+"."+b64(payload))
}

// seal signs any text.
func seal(t testing.TB, key, alg, input string) string {
	t.Helper()
	sig, err := signRaw(privates()[key], alg, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestHandmadeTokensOfTheTestsVerify(t *testing.T) {
	for key, alg := range map[string]string{"rsa": "RS256", "p256": "ES256", "ed25519": "EdDSA"} {
		tok := handmade(t, key, alg, `{"alg":"`+alg+`","typ":"JWT"}`, `{"a":1}`)
		if _, err := jose.Verify(t.Context(), tok, anything,
			static(t, string(signer(t, key, "", "").Public()))); err != nil {
			t.Errorf("%s: %v", alg, err) // or the tests below prove nothing
		}
	}
}

func TestBCP7_HeadersThatChangeTheMeaningOrContradictThemselvesAreRefused(t *testing.T) {
	keys := static(t, string(signer(t, "p256", "", "k").Public()))
	for name, header := range map[string]string{
		"unknown crit":            `{"alg":"ES256","typ":"JWT","crit":["exp"],"exp":1}`,
		"crit b64":                `{"alg":"ES256","typ":"JWT","crit":["b64"],"b64":true}`,
		"empty crit":              `{"alg":"ES256","typ":"JWT","crit":[]}`,
		"null crit":               `{"alg":"ES256","typ":"JWT","crit":null}`,
		"b64 without crit":        `{"alg":"ES256","typ":"JWT","b64":false}`,
		"alg twice":               `{"alg":"none","alg":"ES256","typ":"JWT"}`,
		"another member twice":    `{"alg":"ES256","typ":"JWT","x":1,"x":2}`,
		"a member twice, deep":    `{"alg":"ES256","typ":"JWT","x":{"y":1,"y":2}}`,
		"escaped duplicate":       `{"alg":"ES256","typ":"JWT","\u0061lg":"ES256"}`,
		"enc in a JWS":            `{"alg":"ES256","typ":"JWT","enc":"A128GCM"}`,
		"alg is a number":         `{"alg":256,"typ":"JWT"}`,
		"alg is absent":           `{"typ":"JWT"}`,
		"typ is a list":           `{"alg":"ES256","typ":["JWT"]}`,
		"typ is empty":            `{"alg":"ES256","typ":""}`,
		"alg is null":             `{"alg":null,"typ":"JWT"}`,
		"kid is a number":         `{"alg":"ES256","typ":"JWT","kid":1}`,
		"kid with a newline":      `{"alg":"ES256","typ":"JWT","kid":"k\nlevel=info"}`,
		"kid with a NUL":          `{"alg":"ES256","typ":"JWT","kid":"k\u0000"}`,
		"kid with an escape":      `{"alg":"ES256","typ":"JWT","kid":"\u001b[2J"}`,
		"kid is long":             `{"alg":"ES256","typ":"JWT","kid":"` + strings.Repeat("k", 257) + `"}`,
		"invalid UTF-8":           "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x\":\"\xff\"}",
		"an array":                `["ES256"]`,
		"two objects":             `{"alg":"ES256","typ":"JWT"}{}`,
		"nothing":                 ``,
		"private key in it":       `{"alg":"ES256","typ":"JWT","jwk":{"kty":"oct","k":"AAAA"}}`,
		"huge":                    `{"alg":"ES256","typ":"JWT","x":"` + strings.Repeat("x", 17<<10) + `"}`,
		"byte order mark":         "\ufeff" + `{"alg":"ES256","typ":"JWT"}`,
		"names in another case":   `{"ALG":"ES256","typ":"JWT"}`,
		"alg in another case":     `{"alg":"es256","typ":"JWT"}`,
		"alg none, signed anyway": `{"alg":"none","typ":"JWT"}`,
	} {
		if _, err := jose.Verify(t.Context(), handmade(t, "p256", "ES256", header, `{}`), anything, keys); err == nil {
			t.Errorf("%s: verifies", name)
		}
	}
}

func TestBCP7_ClaimsAreOneObjectWithUniqueNames(t *testing.T) {
	keys := static(t, string(signer(t, "p256", "", "").Public()))
	for name, payload := range map[string]string{
		"a member twice": `{"aud":"us","aud":"them"}`, "deep": `{"cnf":{"jkt":"a","jkt":"b"}}`,
		"escaped":     `{"sub":"a","\u0073ub":"b"}`,
		"in an array": `{"a":[{"b":1,"b":1}]}`, "a list": `[]`, "text": `"x"`, "null": `null`, "nothing": ``,
		"two": `{}{}`, "invalid UTF-8": "{\"sub\":\"\xc3\"}",
	} {
		if _, err := jose.Verify(t.Context(), handmade(t, "p256", "ES256", `{"alg":"ES256","typ":"JWT"}`, payload),
			anything, keys); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBCP6_OnlyTheCompactFormInItsAlphabet(t *testing.T) {
	s := signer(t, "p256", "", "")
	keys := static(t, string(s.Public()))
	good := sign(t, s, "JWT", struct{}{})
	h, rest, _ := strings.Cut(good, ".")
	p, sig, _ := strings.Cut(rest, ".")
	last := strings.IndexByte(alphabet, h[len(h)-1])
	for name, tok := range map[string]string{
		"empty": "", "a dot": ".", "dots": "..", "truncated": good[:len(good)-1], "no signature": h + "." + p + ".",
		"two parts":   h + "." + p,
		"a dot after": good + ".", "a dot before": "." + good, "four parts": good + "." + sig,
		"five parts":    good + "." + sig + "." + sig,
		"a space after": good + " ", "a newline after": good + "\n", "a newline inside": h + "\n." + p + "." + sig,
		"a tab before": "\t" + good,
		"padded":       h + "=." + p + "." + sig, "standard alphabet": h + "." + p + "." + strings.Repeat("+/", 43),
		"JSON serialization": `{"payload":"` + p + `","protected":"` + h + `","signature":"` + sig + `"}`,
		"a second value":     good + "," + good, "not ASCII": good + "é", "a NUL": good + "\x00",
		"unused bits in the signature": good[:len(good)-1] + nextInGroup(good),
		"unused bits in the header":    h[:len(h)-1] + string(alphabet[last^1]) + "." + p + "." + sig,
		"too large":                    h + "." + strings.Repeat("e30", 22000) + "." + sig,
	} {
		if _, err := jose.Verify(t.Context(), tok, anything, keys); err == nil {
			t.Errorf("%s: verifies", name)
		} else if tok != "" && strings.Contains(err.Error(), p) {
			t.Errorf("%s: the error quotes it", name)
		}
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// nextInGroup is another last character of tok that a lenient decoder reads as the same bytes.
func nextInGroup(tok string) string {
	i := strings.IndexByte(alphabet, tok[len(tok)-1])
	return string(alphabet[i^1])
}

func TestBCP6_UnusedBitsAreZeroInSignedPartsToo(t *testing.T) {
	keys := static(t, string(signer(t, "p256", "", "").Public()))
	input := b64(`{"alg":"ES256","typ":"JWT"}`) + "." + b64(`{"a":12}`)
	odd := input[:len(input)-1] + nextInGroup(input)
	if _, err := jose.Verify(t.Context(), seal(t, "p256", "ES256", odd), anything, keys); !errors.Is(err,
		jose.ErrMalformed) {
		t.Error(err)
	}
}

func TestBCP1_ASecretMadeOfThePublicKeyVerifiesNothing(t *testing.T) {
	s := signer(t, "rsa", "RS256", "k")
	public := &privates()["rsa"].(*rsa.PrivateKey).PublicKey
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	keys := static(t, string(s.Public()))
	withoutAlg := static(t, with(t, string(s.Public()), map[string]any{"alg": nil}))
	for name, guess := range map[string][]byte{
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "modulus": public.N.Bytes(),
		"JWK":     s.Public(),
		"PKCS #1": x509.MarshalPKCS1PublicKey(public), "nothing": nil,
	} {
		input := b64(`{"alg":"HS256","typ":"JWT","kid":"k"}`) + "." + b64(`{}`)
		mac := hmac.New(sha256.New, guess)
		mac.Write([]byte(input))
		tok := input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		for _, source := range []jose.KeySource{keys, withoutAlg} {
			if _, err := jose.Verify(t.Context(), tok, anything, source); !errors.Is(err, jose.ErrNoKey) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestBCP1_TheAlgorithmIsAllowedAndTheKeysOwn(t *testing.T) {
	s := signer(t, "rsa", "PS256", "")
	tok := sign(t, s, "JWT", struct{}{})
	public := string(s.Public())
	for name, c := range map[string]struct {
		key  string
		algs []string
		want error
	}{
		"allowed":      {public, []string{"RS256", "PS256"}, nil},
		"not allowed":  {public, []string{"RS256"}, jose.ErrAlgorithm},
		"another case": {public, []string{"ps256"}, jose.ErrAlgorithm},
		"nothing is":   {public, nil, jose.ErrAlgorithm},
		"key is for another": {with(t, public, map[string]any{"alg": "RS256"}), []string{"PS256"},
			jose.ErrNoKey},
		"key does not say":           {with(t, public, map[string]any{"alg": nil}), []string{"PS256"}, nil},
		"key of another family":      {string(signer(t, "p256", "", "").Public()), []string{"PS256"}, jose.ErrNoKey},
		"curve of another algorithm": {string(signer(t, "p384", "", "").Public()), []string{"PS256"}, jose.ErrNoKey},
	} {
		if _, err := jose.Verify(t.Context(), tok, plain(c.algs...), static(t, c.key)); !errors.Is(err, c.want) ||
			(err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBCP6_Ed25519AndEdDSAAreOneAlgorithmWithTwoNamesToAllow(t *testing.T) {
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		tok := sign(t, signer(t, "ed25519", alg, ""), "JWT", struct{}{})
		for _, keyAlg := range []any{"EdDSA", "Ed25519", nil} {
			key := static(t, with(t, string(signer(t, "ed25519", "", "").Public()), map[string]any{"alg": keyAlg}))
			for _, allowed := range []string{"EdDSA", "Ed25519"} {
				if _, err := jose.Verify(t.Context(), tok, plain(allowed), key); (err == nil) != (alg == allowed) {
					t.Errorf("%s with a key for %v, %s allowed: %v", alg, keyAlg, allowed, err)
				}
			}
		}
	}
}

func TestBCP5_TypIsOneOfTheExpected(t *testing.T) {
	s := signer(t, "p256", "", "")
	keys := static(t, string(s.Public()))
	for _, c := range []struct {
		typ     string
		allowed []string
		ok      bool
	}{
		{"at+jwt", []string{"at+jwt"}, true}, {"AT+JWT", []string{"at+jwt"}, true},
		{"application/at+jwt", []string{"at+jwt"}, true},
		{"at+jwt", []string{"Application/AT+JWT"}, true}, {"at+jwt", []string{"JWT", "at+jwt"}, true},
		{"", []string{""}, true},
		{"JWT", []string{"at+jwt"}, false}, {"", []string{"at+jwt"}, false}, {"JWT", []string{""}, false},
		{"JWT", nil, false}, {"", nil, false},
		{"text/at+jwt", []string{"at+jwt"}, false}, {"application/application/at+jwt", []string{"at+jwt"}, false},
		{"at+jwt; v=1", []string{"at+jwt"}, false},
		{"token-introspection+jwt", []string{"at+jwt", "JWT"}, false},
	} {
		_, err := jose.Verify(t.Context(), sign(t, s, c.typ, struct{}{}),
			jose.Expect{Types: c.allowed, Algorithms: []string{"ES256"}}, keys)
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, jose.ErrType) {
			t.Errorf("%q where %q are allowed: %v", c.typ, c.allowed, err)
		}
	}
}

func TestBCP4_KeysAndAddressesInTheHeaderAreNotFollowed(t *testing.T) {
	ours := static(t, string(signer(t, "p256", "", "").Public()))
	theirs := signer(t, "p384", "", "")
	for name, member := range map[string]string{
		"jwk": string(theirs.Public()), "jku": `"https://127.0.0.1:1/"`, "x5u": `"https://127.0.0.1:1/"`,
	} {
		header := `{"alg":"ES384","typ":"JWT","` + name + `":` + member + `}`
		if _, err := jose.Verify(t.Context(), handmade(t, "p384", "ES384", header, `{}`), anything,
			ours); !errors.Is(err, jose.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
		header = `{"alg":"ES256","typ":"JWT","` + name + `":` + member + `}`
		if _, err := jose.Verify(t.Context(), handmade(t, "p256", "ES256", header, `{}`), anything, ours); err != nil {
			t.Errorf("%s does harm where it is ignored: %v", name, err)
		}
	}
}

func TestAnErrorOfTheSourceIsNoVerdict(t *testing.T) {
	want := authz.Errorf(authz.Unavailable, "no keys")
	_, err := jose.Verify(t.Context(), sign(t, signer(t, "p256", "", ""), "JWT", struct{}{}), plain("ES256"),
		sourceFunc(func() ([]jose.Key, error) { return nil, want }))
	if err != want {
		t.Error(err)
	}
}

func TestNoKeyIsLookedForInVain(t *testing.T) {
	source := sourceFunc(func() ([]jose.Key, error) { t.Error("asked"); return nil, nil })
	for _, tok := range []string{"", "a.b.c", handmade(t, "p256", "ES256", `{"alg":"none","typ":"JWT"}`, `{}`),
		handmade(t, "p256", "ES256", `{"alg":"ES256","typ":"x"}`, `{}`)} {
		if _, err := jose.Verify(t.Context(), tok, plain("ES256", "none"), source); err == nil ||
			authz.KindOf(err) != authz.Internal {
			t.Errorf("%q: %v", tok, err)
		}
	}
}

type sourceFunc func() ([]jose.Key, error)

func (f sourceFunc) Find(context.Context, jose.Header) ([]jose.Key, error) { return f() }

func TestAShortSharedSecretVerifiesNothing(t *testing.T) {
	short := "secret"
	input := b64(`{"alg":"HS256","typ":"JWT"}`) + "." + b64(`{}`)
	mac := hmac.New(sha256.New, []byte(short))
	mac.Write([]byte(input))
	if _, err := jose.Verify(t.Context(), input+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), plain("HS256"),
		jose.SharedSecret(secret.New(short))); !errors.Is(err, jose.ErrSignature) {
		t.Error(err)
	}
}

func TestIssuerIsThatOfAReadableJWS(t *testing.T) {
	none := b64(`{"alg":"none"}`) + "."
	for name, c := range map[string]struct{ tok, want string }{
		"signed":       {handmade(t, "p256", "ES256", `{"alg":"ES256"}`, `{"iss":"https://as"}`), "https://as"},
		"unsigned":     {none + b64(`{"iss":"https://as"}`) + ".", "https://as"},
		"absent":       {none + b64(`{}`) + ".", ""},
		"a number":     {none + b64(`{"iss":1}`) + ".", ""},
		"twice":        {none + b64(`{"iss":"https://as","iss":"https://as2"}`) + ".", ""},
		"another case": {none + b64(`{"ISS":"https://as"}`) + ".", ""},
		"nested":       {none + b64(`{"a":{"iss":"https://as"}}`) + ".", ""},
		"too large":    {none + b64(`{"iss":"https://as","x":"`+strings.Repeat("x", 64<<10)+`"}`) + ".", ""},
		"in a JWE": {b64(`{"alg":"dir","enc":"A128GCM"}`) + ".." + b64(`{"iss":"https://as"}`) + "." +
			b64(`{"iss":"https://as"}`) + ".AAAA", ""},
		"opaque":       {"2YotnFZFEjr1zCsicMWpAA", ""},
		"opaque, dots": {"a.b.c", ""},
	} {
		if got, ok := jose.Issuer(c.tok); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
}

func TestBCP2_PeekTellsAJWSFromAJWE(t *testing.T) {
	for name, c := range map[string]struct {
		tok  string
		want jose.Header
	}{
		"JWS": {b64(`{"alg":"none"}`) + "..", jose.Header{Algorithm: "none"}},
		"JWE": {b64(`{"alg":"dir","enc":"A128GCM","kid":"k","typ":"JWT"}`) + "..AA.AA.AA",
			jose.Header{Type: "JWT", Algorithm: "dir", Encryption: "A128GCM", KeyID: "k"}},
		"JWE of three parts":    {b64(`{"alg":"dir","enc":"A128GCM"}`) + ".AA.AA", jose.Header{}},
		"JWS of five parts":     {b64(`{"alg":"ES256"}`) + ".AA.AA.AA.AA", jose.Header{}},
		"enc without a meaning": {b64(`{"alg":"dir","enc":""}`) + "..AA.AA.AA", jose.Header{}},
	} {
		h, err := jose.Peek(c.tok)
		if h != c.want || (err == nil) != (c.want != jose.Header{}) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

func TestClaimsAreAsTheyWereSigned(t *testing.T) {
	const payload = "{ \"a\" : 1.0 ,\n\"b\":12345678901234567890}"
	got, err := jose.Verify(t.Context(), handmade(t, "p256", "ES256", `{"alg":"ES256"}`, payload), anything,
		static(t, string(signer(t, "p256", "", "").Public())))
	if err != nil || string(got.Claims) != payload || !jsontext.Value(got.Claims).IsValid() {
		t.Errorf("%s, %v", got.Claims, err)
	}
}

// go-jose would verify it: it reads b64 (RFC 7797) even where crit does not name it.
func TestBCP7_APayloadThatWasSignedUnencodedIsRefused(t *testing.T) {
	header := b64(`{"alg":"ES256","typ":"JWT","b64":false}`)
	raw := seal(t, "p256", "ES256", header+`.{}`)
	tok := header + "." + b64(`{}`) + raw[strings.LastIndexByte(raw, '.'):]
	if _, err := jose.Verify(t.Context(), tok, anything,
		static(t, string(signer(t, "p256", "", "").Public()))); !errors.Is(err, jose.ErrMalformed) {
		t.Error(err)
	}
}

func TestAKeyOfAnotherNameIsNotTried(t *testing.T) {
	found, err := static(t, string(signer(t, "p256", "", "a").Public())).Find(t.Context(),
		jose.Header{Algorithm: "ES256", KeyID: "a"})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	tok := sign(t, signer(t, "p256", "", "b"), "JWT", struct{}{})
	if _, err := jose.Verify(t.Context(), tok, anything,
		sourceFunc(func() ([]jose.Key, error) { return found, nil })); !errors.Is(err, jose.ErrNoKey) {
		t.Error(err)
	}
}
