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
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const minRSABits = 2048 // RFC 7518 section 3.3

// family is the type of key that an algorithm needs. A key is of one family, so that algorithms cannot be confused:
// the modulus of an RSA key is never used as the secret of an HMAC (RFC 8725 section 2.1).
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

// SignatureAlgorithms lists the values of "alg" that a key pair signs with: RFC 7518 section 3.1, RFC 8037, RFC 9864.
func SignatureAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
		algEd25519}
}

// MACAlgorithms lists the values of "alg" that a shared secret signs with: RFC 7518 section 3.2.
func MACAlgorithms() []string { return []string{"HS256", "HS384", "HS512"} }

// familyOf is the family of one of the two lists; noFamily for any other text, "none" included.
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
		(h.KeyID == "" || k.id == "" || h.KeyID == k.id) &&
		// RFC 9864: one algorithm, two names
		(k.alg == "" || k.alg == h.Algorithm || f == familyEd25519 && familyOf(k.alg) == f)
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

// otherUse is the cause of a key that is well formed and meant for something else than signatures.
type otherUse string

func (o otherUse) Error() string { return string(o) }

// ignore describes a key that readKey refused.
func ignore(index int, jwk jsontext.Value, err error) Ignored {
	i := Ignored{Index: index, Cause: strings.TrimPrefix(err.Error(), "read key: ")}
	_, i.Expected = errors.AsType[otherUse](err)
	var m struct {
		ID   any `json:"kid"`
		Type any `json:"kty"`
	}
	if json.Unmarshal(jwk, &m, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil {
		id, _ := m.ID.(string)
		kty, _ := m.Type.(string)
		i.ID, i.Type = shorten(id), shorten(kty)
	}
	return i
}

// readKey reads a public JWK that may verify signatures. Private and symmetric keys are refused: one that is published
// is no secret any more. Certificates and addresses in it are ignored (BCP-4).
func readKey(jwk jsontext.Value) (Key, error) {
	m, ok := ReadClaims(jwk)
	if !ok {
		return Key{}, errors.New("read key: it is no JSON object of valid UTF-8 with unique names")
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if m.Has(private) { // some servers write null for the members that a public key lacks
			return Key{}, fmt.Errorf("read key: it holds the private member %q", private)
		}
	}
	if err := forSignatures(m); err != nil {
		return Key{}, err
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
	switch {
	case strings.HasPrefix(alg, "RSA-OAEP"), strings.HasPrefix(alg, "ECDH-ES"), alg == "RSA1_5":
		return Key{}, otherUse(fmt.Sprintf("read key: its alg %q is one for encryption", shorten(alg)))
	case alg != "" && familyOf(alg) != k.family:
		return Key{}, fmt.Errorf("read key: its alg %q is unknown, or not one of such a key", shorten(alg))
	}
	return k, nil
}

// forSignatures looks at "use" and "key_ops": RFC 7517 sections 4.2 and 4.3.
func forSignatures(m Claims) error {
	use, err := m.Text("use")
	switch {
	case err != nil:
		return errors.New("read key: its use is no text")
	case use == "enc":
		return otherUse(`read key: its use is "enc"`)
	case use != "" && use != "sig":
		return fmt.Errorf("read key: its use is %q, which is neither sig nor enc", shorten(use))
	}
	operations, err := m.Names("key_ops")
	switch {
	case err != nil:
		return errors.New("read key: its key_ops is no list of texts")
	case operations != nil && !slices.Contains(operations, "verify"):
		return otherUse("read key: its key_ops lacks verify")
	}
	return nil
}

// keyMembers are the members that hold a key of each type: RFC 7518 section 6, RFC 8037 section 2.
func keyMembers(kty string) []string {
	switch kty {
	case "RSA":
		return []string{"n", "e"}
	case "EC":
		return []string{"x", "y"}
	case "OKP":
		return []string{"x"}
	}
	return nil
}

// sizeOf is how many bytes each coordinate on a curve has, with its leading zeros: RFC 7518 section 6.2.1.2.
func sizeOf(crv string) int {
	return map[string]int{"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}[crv]
}

// public reads the key itself and gives go-jose no other member. What go-jose refuses without a reason is checked
// first.
func public(m Claims) (any, error) {
	kty, err := m.Text("kty")
	if err != nil || kty == "" {
		return nil, errors.New("read key: it has no kty")
	}
	crv, err := m.Text("crv")
	only := Claims{"kty": m["kty"]}
	switch {
	case keyMembers(kty) == nil:
		return nil, otherUse("read key: keys of its kty are not used here")
	case kty != "RSA" && (err != nil || sizeOf(crv) == 0):
		return nil, otherUse(fmt.Sprintf("read key: its crv %q is not used here", shorten(crv)))
	case kty == "RSA":
		crv = "" // it has none, whatever it says
	default:
		only["crv"] = m["crv"]
	}
	for _, name := range keyMembers(kty) {
		if err := m.checkMember(name, crv); err != nil {
			return nil, err
		}
		only[name] = m[name]
	}
	raw, err := json.Marshal(only)
	if err != nil {
		return nil, errors.New("read key: it is no JSON object")
	}
	var k gojose.JSONWebKey
	if err := k.UnmarshalJSON(raw); err != nil || !k.IsPublic() || !k.Valid() {
		return nil, errors.New("read key: its numbers are no key of its kty")
	}
	return k.Key, nil
}

// checkMember says what is wrong with a member that holds a part of the key.
func (c Claims) checkMember(name, crv string) error {
	s, err := c.Text(name)
	switch {
	case err != nil:
		return fmt.Errorf("read key: its %s is no text", name)
	case s == "" && c.Has("x5c"):
		return fmt.Errorf("read key: it has no %s, and certificates (x5c) are not read", name)
	case s == "":
		return fmt.Errorf("read key: it has no %s", name)
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	switch {
	case err != nil && strings.HasSuffix(s, "="):
		return fmt.Errorf("read key: its %s has padding (=), which base64url does not have there (RFC 7515 section 2)",
			name)
	case err != nil && strings.ContainsAny(s, "+/"):
		return fmt.Errorf("read key: its %s is plain base64, with + or /, where base64url is due (RFC 7515 section 2)",
			name)
	case err != nil:
		return fmt.Errorf("read key: its %s is not base64url", name)
	case crv != "" && len(b) != sizeOf(crv):
		return fmt.Errorf("read key: its %s has %d bytes, and %s has %d, leading zeros included (RFC 7518 section "+
			"6.2.1)", name, len(b), crv, sizeOf(crv))
	}
	return nil
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
