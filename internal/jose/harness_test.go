package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// privates are keys that are slow to make, made once.
var privates = sync.OnceValue(func() map[string]any {
	must := func(k any, err error) any {
		if err != nil {
			panic(err)
		}
		return k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]any{
		"rsa":     must(rsa.GenerateKey(rand.Reader, 2048)),
		"p256":    must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"p384":    must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"p521":    must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"ed25519": must(ed, err),
	}
})

func pemOf(t testing.TB, name string) secret.Text {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(privates()[name])
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func signer(t testing.TB, key, alg, kid string) *jose.Signer {
	t.Helper()
	s, err := jose.NewSigner(pemOf(t, key), alg, kid)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, s *jose.Signer, typ string, claims any) string {
	t.Helper()
	tok, err := s.Sign(typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Reveal()
}

func jwks(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

// with returns a JWK with some members changed; a nil value removes one.
func with(t testing.TB, jwk string, changes map[string]any) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(jwk), &m); err != nil {
		t.Fatal(err)
	}
	for name, v := range changes {
		if m[name] = v; v == nil {
			delete(m, name)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func static(t testing.TB, keys ...string) jose.KeySource {
	t.Helper()
	s, err := jose.StaticKeys(jwks(keys...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// plain is what most tests expect.
func plain(algs ...string) jose.Expect {
	return jose.Expect{Types: []string{"JWT"}, Algorithms: algs}
}

// signRaw signs with the standard library, so that what verifies is not checked by its own maker alone.
func signRaw(key any, alg string, input []byte) ([]byte, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		sum := sha256.Sum256(input)
		return rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		var sum []byte
		switch alg {
		case "ES256":
			h := sha256.Sum256(input)
			sum = h[:]
		case "ES384":
			h := sha512.Sum384(input)
			sum = h[:]
		}
		r, s, err := ecdsa.Sign(rand.Reader, k, sum)
		if err != nil {
			return nil, err
		}
		n := (k.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...), nil
	case ed25519.PrivateKey:
		return ed25519.Sign(k, input), nil
	}
	return nil, errors.New("unknown key")
}
