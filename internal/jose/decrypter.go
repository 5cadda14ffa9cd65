package jose

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const maxEncryptedBytes = 1 << 20

// Decrypter opens compact JWE that were made for one private key. It is safe for concurrent use.
type Decrypter struct {
	key        func() any // a function for the reason it is one in Signer
	algorithms []gojose.KeyAlgorithm
	encodings  []gojose.ContentEncryption
}

// EncryptionAlgorithms lists the values of "alg" of a JWE that a private key opens: RFC 7518 section 4.1 without
// RSA1_5, passwords and shared keys.
func EncryptionAlgorithms() []string {
	return []string{"RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}
}

// EncryptionEncodings lists the values of "enc": RFC 7518 section 5.1.
func EncryptionEncodings() []string {
	return []string{"A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"}
}

// NewDecrypter reads a private key in PEM or JWK form; without a key the Decrypter is nil. Of the allowed values of
// "alg" it keeps those that fit the key, so that one list serves keys of each type; no fitting one is an error.
func NewDecrypter(source secret.Source, algorithms, encodings []string) (*Decrypter, error) {
	if source.IsZero() {
		return nil, nil
	}
	text, err := source.Read()
	if err != nil {
		return nil, err
	}
	p, err := readPrivate(text)
	if err != nil {
		return nil, fmt.Errorf("make decrypter: %w", err)
	}
	if p.use != "" && p.use != "enc" {
		return nil, errors.New("make decrypter: the key is for another use")
	}
	d := &Decrypter{key: func() any { return p.key }}
	for _, a := range algorithms {
		if !slices.Contains(EncryptionAlgorithms(), a) {
			return nil, fmt.Errorf("make decrypter: the algorithm %q is not supported", a)
		}
		if (p.alg == "" || p.alg == a) && decrypts(p.family, a) {
			d.algorithms = append(d.algorithms, gojose.KeyAlgorithm(a))
		}
	}
	for _, e := range encodings {
		if !slices.Contains(EncryptionEncodings(), e) {
			return nil, fmt.Errorf("make decrypter: the encryption %q is not supported", e)
		}
		d.encodings = append(d.encodings, gojose.ContentEncryption(e))
	}
	switch {
	case len(d.algorithms) == 0:
		return nil, fmt.Errorf("make decrypter: the key fits none of the algorithms %q", algorithms)
	case len(d.encodings) == 0:
		return nil, errors.New("make decrypter: no encryption is allowed")
	}
	return d, nil
}

func decrypts(f family, alg string) bool {
	if strings.HasPrefix(alg, "RSA-OAEP") {
		return f == familyRSA
	}
	return f == familyP256 || f == familyP384 || f == familyP521
}

// Decrypt returns the JWS inside a compact JWE, which is not verified yet: a public key is enough to encrypt. A
// payload that is not signed is refused.
func (d *Decrypter) Decrypt(s string) (string, error) {
	if len(s) > maxEncryptedBytes {
		return "", malformed("it is too large")
	}
	c, err := split(s)
	if err != nil {
		return "", err
	}
	if len(c.parts) != partsOfJWE {
		return "", malformed("it is not encrypted")
	}
	if err := c.rejectCritical(); err != nil {
		return "", err
	}
	if _, said := c.members["zip"]; said { // RFC 8725bis section 3.6: a small text can expand to a large one
		return "", malformed("it is compressed")
	}
	if !slices.Contains(d.algorithms, gojose.KeyAlgorithm(c.header.Algorithm)) ||
		!slices.Contains(d.encodings, gojose.ContentEncryption(c.header.Encryption)) {
		return "", fmt.Errorf("decrypt token: it %w", ErrAlgorithm)
	}
	for _, p := range c.parts[1:] {
		if _, err := decode(p); err != nil {
			return "", err
		}
	}
	sealed, err := gojose.ParseEncryptedCompact(s, d.algorithms, d.encodings)
	if err != nil {
		return "", malformed("its header cannot be used")
	}
	opened, err := sealed.Decrypt(d.key())
	if err != nil {
		return "", fmt.Errorf("decrypt token: it %w", ErrEncrypted)
	}
	inner := string(opened)
	if in, err := split(inner); err != nil || len(in.parts) != partsOfJWS {
		return "", malformed("what it holds is not signed")
	}
	return inner, nil
}
