package jose

import (
	"errors"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const maxEncryptedBytes = 1 << 20

// Decrypter opens compact JWE that were made for one private key. It is safe for concurrent use.
type Decrypter struct {
	key         func() any // a function for the reason it is one in Signer
	algorithms  []gojose.KeyAlgorithm
	encryptions []gojose.ContentEncryption
}

// NewDecrypter takes a private key in PEM or JWK form and the allowed values of "alg" and "enc", in their exact case. RSA1_5
// and the algorithms with passwords or shared keys are not to be had.
func NewDecrypter(key secret.Text, algorithms, encryptions []string) (*Decrypter, error) {
	p, err := readPrivate(key)
	if err != nil {
		return nil, fmt.Errorf("make decrypter: %w", err)
	}
	switch {
	case len(algorithms) == 0 || len(encryptions) == 0:
		return nil, errors.New("make decrypter: no algorithm or no encryption is allowed")
	case p.use != "" && p.use != "enc":
		return nil, errors.New("make decrypter: the key is for another use")
	case p.alg != "" && slices.ContainsFunc(algorithms, func(a string) bool { return a != p.alg }):
		return nil, errors.New("make decrypter: the key is for another algorithm")
	}
	d := &Decrypter{key: func() any { return p.key }}
	for _, a := range algorithms {
		if !decrypts(p.family, a) {
			return nil, fmt.Errorf("make decrypter: the key does not fit the algorithm %q, or it is not supported", a)
		}
		d.algorithms = append(d.algorithms, gojose.KeyAlgorithm(a))
	}
	for _, e := range encryptions {
		switch e {
		case "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM":
			d.encryptions = append(d.encryptions, gojose.ContentEncryption(e))
		default:
			return nil, fmt.Errorf("make decrypter: the encryption %q is not supported", e)
		}
	}
	return d, nil
}

func decrypts(f family, alg string) bool {
	switch alg {
	case "RSA-OAEP", "RSA-OAEP-256":
		return f == familyRSA
	case "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW":
		return f == familyP256 || f == familyP384 || f == familyP521
	}
	return false
}

// Decrypt returns the JWS inside a compact JWE. It is not verified yet: anybody can encrypt to a public key, and whatever
// is inside and not signed is refused.
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
	if err := c.uncritical(); err != nil {
		return "", err
	}
	if _, said := c.members["zip"]; said { // RFC 8725bis: nobody needs it here, and a little of it becomes a lot
		return "", malformed("it is compressed")
	}
	if !slices.Contains(d.algorithms, gojose.KeyAlgorithm(c.header.Algorithm)) || !slices.Contains(d.encryptions, gojose.ContentEncryption(c.header.Encryption)) {
		return "", fmt.Errorf("decrypt token: it %w", ErrAlgorithm)
	}
	for _, p := range c.parts[1:] {
		if _, err := decode(p); err != nil {
			return "", err
		}
	}
	sealed, err := gojose.ParseEncryptedCompact(s, d.algorithms, d.encryptions)
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
