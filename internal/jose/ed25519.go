package jose

import (
	"crypto/ed25519"
	"errors"

	gojose "github.com/go-jose/go-jose/v4"
)

// algEd25519 is the name RFC 9864 gives to EdDSA with this curve. go-jose knows only the older name; it frames the
// token and leaves the signature to the two types below.
const algEd25519 = "Ed25519"

type ed25519Verifier ed25519.PublicKey

func (v ed25519Verifier) VerifyPayload(payload, signature []byte, alg gojose.SignatureAlgorithm) error {
	if alg != algEd25519 || !ed25519.Verify(ed25519.PublicKey(v), payload, signature) {
		return errors.New("verify signature: it is not of this key")
	}
	return nil
}

type ed25519Signer struct {
	private ed25519.PrivateKey
	public  *gojose.JSONWebKey
}

func (s ed25519Signer) Public() *gojose.JSONWebKey { return s.public }

func (s ed25519Signer) Algs() []gojose.SignatureAlgorithm {
	return []gojose.SignatureAlgorithm{algEd25519}
}

func (s ed25519Signer) SignPayload(payload []byte, _ gojose.SignatureAlgorithm) ([]byte, error) {
	return ed25519.Sign(s.private, payload), nil
}
