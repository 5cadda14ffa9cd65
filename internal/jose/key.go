package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const minRSABits = 2048 // RFC 7518 section 3.3

// family is the kind of key an algorithm needs. One key is of one family, so that no algorithm can be taken for another
// one: the modulus of an RSA key is never the secret of an HMAC.
type family uint8

const (
	noFamily family = iota
	familyRSA
	familyP256
	familyP384
	familyP521
	familyEd25519
	familyHMAC
)

// familyOf lists the algorithms that are known here. "none" is not one of them.
func familyOf(alg string) family {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return familyRSA
	case "ES256":
		return familyP256
	case "ES384":
		return familyP384
	case "ES512":
		return familyP521
	case "EdDSA", algEd25519:
		return familyEd25519
	case "HS256", "HS384", "HS512":
		return familyHMAC
	}
	return noFamily
}

// Key is a key that verifies, with its name and what it is for.
type Key struct {
	id, alg  string // empty when the key does not say
	family   family
	material any // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or secret.Text
}

// fits reports whether k may have signed a token with this header.
func (k Key) fits(h Header) bool {
	f := familyOf(h.Algorithm)
	return f != noFamily && f == k.family &&
		(h.KeyID == "" || h.KeyID == k.id) &&
		(k.alg == "" || k.alg == h.Algorithm || f == familyEd25519 && familyOf(k.alg) == f) // RFC 9864: one algorithm, two names
}

func (k Key) verifier(alg string) any {
	switch m := k.material.(type) {
	case ed25519.PublicKey:
		if alg == algEd25519 {
			return ed25519Verifier(m)
		}
	case secret.Text:
		return []byte(m.Reveal())
	}
	return k.material
}

// thumbprint is RFC 7638 with SHA-256.
func (k Key) thumbprint() (string, error) {
	sum, err := (&gojose.JSONWebKey{Key: k.material}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", errors.New("name key: it has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Thumbprint returns the RFC 7638 SHA-256 thumbprint, in base64url, of a public key in JWK form.
func Thumbprint(jwk jsontext.Value) (string, error) {
	k, err := readKey(jwk)
	if err != nil {
		return "", err
	}
	return k.thumbprint()
}

// readKey reads a public JWK that may verify signatures. Private and symmetric keys are refused: whoever shows them does not
// keep them. Certificates and addresses in it are not looked at (BCP-4).
func readKey(jwk jsontext.Value) (Key, error) {
	m, ok := ReadClaims(jwk)
	if !ok {
		return Key{}, errors.New("read key: it is no JSON object with unique names")
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, said := m[private]; said {
			return Key{}, errors.New("read key: it holds private members")
		}
	}
	if !forSignatures(m) {
		return Key{}, errors.New("read key: it is for another use")
	}
	id, errID := m.Text("kid")
	alg, errAlg := m.Text("alg")
	if errID != nil || errAlg != nil {
		return Key{}, errors.New("read key: its kid or alg is no text")
	}
	material, err := public(m)
	if err != nil {
		return Key{}, err
	}
	k := Key{id: id, alg: alg, material: material}
	if k.family, err = familyOfKey(material); err != nil {
		return Key{}, err
	}
	if alg != "" && familyOf(alg) != k.family {
		return Key{}, errors.New("read key: its alg is unknown or does not fit")
	}
	return k, nil
}

// forSignatures looks at "use" and "key_ops": RFC 7517 sections 4.2 and 4.3.
func forSignatures(m Claims) bool {
	use, err := m.Text("use")
	if err != nil || use != "" && use != "sig" {
		return false
	}
	operations, err := m.Names("key_ops")
	return err == nil && (operations == nil || slices.Contains(operations, "verify"))
}

// public reads the key itself and gives go-jose nothing else to look at.
func public(m Claims) (any, error) {
	only := Claims{}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if v, said := m[name]; said {
			only[name] = v
		}
	}
	raw, err := json.Marshal(only)
	if err != nil {
		return nil, errors.New("read key: it is no JSON object")
	}
	var k gojose.JSONWebKey
	if err := k.UnmarshalJSON(raw); err != nil || !k.IsPublic() || !k.Valid() {
		return nil, errors.New("read key: it is of an unknown type or damaged")
	}
	return k.Key, nil
}

// familyOfKey refuses keys that are too weak.
func familyOfKey(material any) (family, error) {
	switch k := material.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return noFamily, fmt.Errorf("read key: it has less than %d bits", minRSABits)
		}
		return familyRSA, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return familyP256, nil
		case elliptic.P384():
			return familyP384, nil
		case elliptic.P521():
			return familyP521, nil
		}
	case ed25519.PublicKey:
		return familyEd25519, nil
	}
	return noFamily, errors.New("read key: it is of an unknown type")
}
