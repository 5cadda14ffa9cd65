package devissuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// keys is the signing key of one server, made when it starts and gone with it.
type keys struct {
	signer jose.Signer
	public []byte // a JWK Set: RFC 7517 section 5
}

func newKeys() (*keys, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %v", err)
	}
	key := jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := key.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return nil, fmt.Errorf("name signing key: %v", err)
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	// RFC 9068 section 2.1
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return nil, fmt.Errorf("make signer: %v", err)
	}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		return nil, fmt.Errorf("publish signing key: %v", err)
	}
	return &keys{signer: signer, public: public}, nil
}

// sign returns payload as a compact JWS.
func (k *keys) sign(payload []byte) (string, error) {
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %v", err)
	}
	return signed.CompactSerialize()
}
