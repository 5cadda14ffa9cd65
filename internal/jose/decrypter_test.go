package jose_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

var (
	allEncryptions = []string{"A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"}
	ofRSA          = []string{"RSA-OAEP", "RSA-OAEP-256"}
	ofEC           = []string{"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}
)

// kept is a file with a key.
func kept(t testing.TB, key secret.Text) secret.Source {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte(key.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.Source{File: name}
}

func TestADecrypterKeepsTheAlgorithmsThatFitItsKey(t *testing.T) {
	d := decrypter(t, "p256", append(ofRSA, ofEC...), allEncryptions)
	if _, err := d.Decrypt(encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A128GCM", "a.b.c", nil)); !errors.Is(err,
		jose.ErrAlgorithm) {
		t.Errorf("an algorithm of RSA with an EC key: %v", err)
	}
	signed := sign(t, signer(t, "p256", "", ""), "", map[string]any{})
	if got, err := d.Decrypt(encrypt(t, publicOf("p256"), "ECDH-ES", "A128GCM", signed, nil)); err != nil ||
		got != signed {
		t.Errorf("%q, %v", got, err)
	}
	if d, err := jose.NewDecrypter(secret.Source{}, ofRSA, allEncryptions); d != nil || err != nil {
		t.Errorf("without a key: %v, %v", d, err)
	}
}

func decrypter(t testing.TB, key string, algs, encs []string) *jose.Decrypter {
	t.Helper()
	d, err := jose.NewDecrypter(kept(t, pemOf(t, key)), algs, encs)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func encrypt(t testing.TB, to any, alg, enc, plain string, o *gojose.EncrypterOptions) string {
	t.Helper()
	e, err := gojose.NewEncrypter(gojose.ContentEncryption(enc),
		gojose.Recipient{Algorithm: gojose.KeyAlgorithm(alg), Key: to, PBES2Count: 1000}, o)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := e.Encrypt([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	s, err := obj.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publicOf(key string) any {
	switch k := privates()[key].(type) {
	case *rsa.PrivateKey:
		return &k.PublicKey
	case *ecdsa.PrivateKey:
		return &k.PublicKey
	}
	return nil
}

func TestJWI5_WhatIsAllowedIsDecrypted(t *testing.T) {
	inner := sign(t, signer(t, "ed25519", "", ""), "JWT", struct{}{})
	for key, algs := range map[string][]string{"rsa": ofRSA, "p256": ofEC, "p384": ofEC, "p521": ofEC} {
		for _, alg := range algs {
			for _, enc := range allEncryptions {
				got, err := decrypter(t, key, []string{alg}, []string{enc}).Decrypt(
					encrypt(t, publicOf(key), alg, enc, inner, nil))
				if err != nil || got != inner {
					t.Errorf("%s %s %s: %v", key, alg, enc, err)
				}
			}
		}
	}
}

func TestJWI5_WhatIsNotAllowedIsNotDecrypted(t *testing.T) {
	inner := sign(t, signer(t, "ed25519", "", ""), "JWT", struct{}{})
	d := decrypter(t, "rsa", []string{"RSA-OAEP-256"}, []string{"A256GCM"})
	good := encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A256GCM", inner, nil)
	if _, err := d.Decrypt(good); err != nil {
		t.Fatal(err)
	}
	bomb := encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A256GCM", strings.Repeat("A", 10<<20),
		&gojose.EncrypterOptions{Compression: gojose.DEFLATE})
	for name, tok := range map[string]string{
		"another alg": encrypt(t, publicOf("rsa"), "RSA-OAEP", "A256GCM", inner, nil),
		"another enc": encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A128GCM", inner, nil),
		"RSA1_5":      encrypt(t, publicOf("rsa"), "RSA1_5", "A256GCM", inner, nil),
		"a password":  encrypt(t, []byte("password"), "PBES2-HS256+A128KW", "A256GCM", inner, nil),
		"p2c bomb": b64(
			`{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":2147483647,"p2s":"AAAAAAAAAAAAAAAA"}`) + ".AA.AA.AA.AA",
		"zip bomb": bomb,
		"zip": encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A256GCM", inner,
			&gojose.EncrypterOptions{Compression: gojose.DEFLATE}),
		"crit": encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A256GCM", inner,
			(&gojose.EncrypterOptions{}).WithHeader("crit", []string{"exp"})),
		"another key":     encrypt(t, publicOf("p256"), "ECDH-ES", "A256GCM", inner, nil),
		"plain text":      encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A256GCM", `{"active":true}`, nil),
		"a JWE in a JWE":  encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A256GCM", good, nil),
		"inside padded":   encrypt(t, publicOf("rsa"), "RSA-OAEP-256", "A256GCM", inner+"\n", nil),
		"a JWS":           inner,
		"truncated":       good[:len(good)-1],
		"another tag":     good[:len(good)-4] + "AAAA",
		"a dot more":      good + ".",
		"white space":     good + "\n",
		"too large":       good + strings.Repeat("A", 1<<20),
		"no key in it":    rebuilt(good, 1, ""),
		"no IV in it":     rebuilt(good, 2, ""),
		"no cipher text":  rebuilt(good, 3, ""),
		"another header":  rebuilt(good, 0, b64(`{"alg":"RSA-OAEP-256","enc":"A256GCM","x":1}`)),
		"alg dir":         rebuilt(good, 0, b64(`{"alg":"dir","enc":"A256GCM"}`)),
		"not base64 ends": rebuilt(good, 2, "A"),
	} {
		if got, err := d.Decrypt(tok); err == nil || got != "" {
			t.Errorf("%s: decrypts", name)
		}
	}
	if _, err := d.Decrypt(good[:len(good)-4] + "AAAA"); !errors.Is(err, jose.ErrEncrypted) {
		t.Error(err)
	}
}

func rebuilt(tok string, part int, value string) string {
	parts := strings.Split(tok, ".")
	parts[part] = value
	return strings.Join(parts, ".")
}

func TestJWI5_AnEphemeralKeyOffTheCurveOpensNothing(t *testing.T) {
	d := decrypter(t, "p256", ofEC, allEncryptions)
	good := encrypt(t, publicOf("p256"), "ECDH-ES", "A128GCM", "a.b.c", nil)
	for name, epk := range map[string]string{
		"invalid point":  `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"another curve":  jwk(t, "p384"),
		"another family": jwk(t, "rsa"),
		"nothing":        `null`,
		"text":           `"x"`,
	} {
		if _, err := d.Decrypt(rebuilt(good, 0, b64(`{"alg":"ECDH-ES","enc":"A128GCM","epk":`+epk+`}`))); err == nil {
			t.Errorf("%s: decrypts", name)
		}
	}
}

func TestADecrypterThatCouldNotBeSafeIsNotMade(t *testing.T) {
	for name, c := range map[string]struct {
		key        secret.Text
		algs, encs []string
	}{
		"no alg": {pemOf(t, "rsa"), nil, allEncryptions}, "no enc": {pemOf(t, "rsa"), ofRSA, nil},
		"RSA1_5":         {pemOf(t, "rsa"), []string{"RSA1_5"}, allEncryptions},
		"dir":            {pemOf(t, "rsa"), []string{"dir"}, allEncryptions},
		"PBES2":          {pemOf(t, "rsa"), []string{"PBES2-HS256+A128KW"}, allEncryptions},
		"enc unknown":    {pemOf(t, "rsa"), ofRSA, []string{"A128"}},
		"another family": {pemOf(t, "rsa"), ofEC, allEncryptions},
		"Ed25519":        {pemOf(t, "ed25519"), ofEC, allEncryptions},
		"no key":         {secret.Text{}, ofRSA, allEncryptions},
		"public key":     {secret.New(jwk(t, "rsa")), ofRSA, allEncryptions},
	} {
		if _, err := jose.NewDecrypter(kept(t, c.key), c.algs, c.encs); err == nil {
			t.Errorf("%s: is made", name)
		}
	}
}
