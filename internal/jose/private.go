package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// private is a private key and what its file says about it.
type private struct {
	key    crypto.Signer // *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey
	public any
	family family

	id, alg, use string // empty when it does not say
}

// readPrivate reads a private key from PEM (PKCS #8, PKCS #1, SEC 1) or a JWK. Its errors quote nothing.
func readPrivate(t secret.Text) (private, error) {
	var p private
	var material any
	s := strings.TrimSpace(t.Reveal())
	if strings.HasPrefix(s, "{") {
		m, ok := ReadClaims([]byte(s))
		if !ok {
			return private{}, errors.New("read private key: it is no JSON object with unique names")
		}
		var k gojose.JSONWebKey
		if err := k.UnmarshalJSON([]byte(s)); err != nil || k.IsPublic() {
			return private{}, errors.New("read private key: the JWK holds none that is known")
		}
		material, p.id, p.alg, p.use = k.Key, k.KeyID, k.Algorithm, k.Use
		if _, said := m["oth"]; said {
			return private{}, errors.New("read private key: the JWK has more than two primes")
		}
	} else {
		var err error
		if material, err = readPEM([]byte(s)); err != nil {
			return private{}, err
		}
	}
	switch k := material.(type) {
	case *rsa.PrivateKey:
		p.key, p.public = k, &k.PublicKey
	case *ecdsa.PrivateKey:
		p.key, p.public = k, &k.PublicKey
	case ed25519.PrivateKey:
		p.key, p.public = k, k.Public()
	default:
		return private{}, errors.New("read private key: it is of an unknown type")
	}
	var err error
	if p.family, err = familyOfKey(p.public); err != nil {
		return private{}, err
	}
	return p, nil
}

// readPEM takes the first private key. Certificates and curve parameters often stand beside it.
func readPEM(rest []byte) (any, error) {
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("read private key: there is none in PEM or JWK form: name the file of the private key")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("read private key: it is encrypted: store it without a passphrase")
		default:
			continue
		}
		if err != nil {
			return nil, errors.New("read private key: its PEM block cannot be read")
		}
		return key, nil
	}
}
