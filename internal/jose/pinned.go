package jose

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Pinned is a key with one name and one algorithm, whatever a token says of itself.
type Pinned struct{ key Key }

// PinPublic reads all public keys of a text in PEM (PKIX, PKCS #1, certificates), as a JWK or as a JWK Set, and gives
// them a name and an algorithm. An empty alg means the usual one of each key: what its JWK says, else RS256, ES256,
// ES384, ES512 or EdDSA. A private key, and one that does not fit alg, is an error.
func PinPublic(text []byte, id, alg string) ([]Pinned, error) {
	keys, err := publicKeys(bytes.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	var out []Pinned
	for _, k := range keys {
		switch {
		case alg != "" && familyOf(alg) != k.family:
			return nil, fmt.Errorf("read key: it is of another type than algorithm %q needs", alg)
		case alg != "" && k.alg != "" && familyOf(k.alg) != familyEd25519 && k.alg != alg:
			return nil, fmt.Errorf("read key: its alg is %q, and not %q", shorten(k.alg), alg)
		case alg != "":
			k.alg = alg
		case k.alg == "":
			k.alg = usualAlgorithm(k.family)
		}
		k.id = id
		out = append(out, Pinned{k})
	}
	return out, nil
}

// PinSecret is a secret that both sides know, for one of MACAlgorithms. It must be at least as long as the hash (RFC
// 7518 section 3.2).
func PinSecret(s secret.Text, id, alg string) (Pinned, error) {
	if isPEM(s) {
		return Pinned{}, fmt.Errorf("read key: a key in PEM form is no secret for %q: name it by file", alg)
	}
	if _, err := newMAC(s, alg, ""); err != nil || familyOf(alg) != familyHMAC {
		return Pinned{}, fmt.Errorf("read key: the secret is too short for %q", alg)
	}
	return Pinned{Key{id: id, alg: alg, family: familyHMAC, material: s}}, nil
}

// ID is the name that the key was given.
func (p Pinned) ID() string { return p.key.id }

// Algorithm is the one that it verifies.
func (p Pinned) Algorithm() string { return p.key.alg }

// Print tells keys apart, also those with the same name, and shows nothing of a secret: it is for comparison alone.
func (p Pinned) Print() string {
	if s, ok := p.key.material.(secret.Text); ok {
		sum := sha256.Sum256([]byte("HMAC " + s.Reveal()))
		return hex.EncodeToString(sum[:])
	}
	print, err := p.key.thumbprint()
	if err != nil {
		return ""
	}
	return print
}

// Verify returns the claims of a compact JWS of one of the types that this key signed with its algorithm. What the
// header names as "kid" is not compared: it may have led to this key.
func (p Pinned) Verify(s string, maxBytes int, types ...string) (Token, error) {
	e := Expect{Types: types, Algorithms: []string{p.key.alg}, MaxBytes: maxBytes}
	if p.key.family == familyEd25519 {
		e.Algorithms = []string{"EdDSA", algEd25519}
	}
	c, err := e.precheck(s)
	if err != nil {
		return Token{}, err
	}
	k := p.key
	k.id = ""
	if err := c.signedByOneOf(s, []Key{k}); err != nil {
		return Token{}, err
	}
	return c.token()
}

// publicKeys are the keys of a text, at least one.
func publicKeys(text []byte) ([]Key, error) {
	if !bytes.HasPrefix(text, []byte("{")) {
		return publicPEM(text)
	}
	values := []jsontext.Value{text}
	if list, err := keysOf(text); err == nil {
		values = list
	}
	var keys []Key
	for _, v := range values {
		k, err := readKey(v)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("read key: the JWK Set is empty")
	}
	return keys, nil
}

func publicPEM(rest []byte) ([]Key, error) {
	var keys []Key
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		var material any
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			material, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			material, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			var c *x509.Certificate
			if c, err = x509.ParseCertificate(block.Bytes); err == nil {
				material = c.PublicKey
			}
		default:
			if strings.HasSuffix(block.Type, "PRIVATE KEY") {
				return nil, errors.New("read key: it is a private key: name the file of the public one")
			}
			continue
		}
		if err != nil {
			return nil, errors.New("read key: its PEM block cannot be read")
		}
		k := Key{material: material}
		if k.family, err = familyOfKey(material); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("read key: there is no public key in PEM or JWK form")
	}
	return keys, nil
}
