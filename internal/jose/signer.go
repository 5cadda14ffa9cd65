package jose

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Signer makes compact JWS with one key and one algorithm. It is safe for concurrent use.
type Signer struct {
	key    func() gojose.SigningKey // a function, because fmt prints what pointers lead to when the verb is wrong
	kid    string
	public jsontext.Value
}

// NewSigner takes a private key in PEM or JWK form, or, for HS256, HS384 and HS512, the secret itself, which must be
// at least as long as the hash (CA-8). An empty alg means the usual one of the key: what its JWK says, else RS256,
// ES256, ES384, ES512 or EdDSA. An empty kid means that of its JWK, if it has one.
func NewSigner(key secret.Text, alg, kid string) (*Signer, error) {
	if familyOf(alg) == familyHMAC {
		return newMAC(key, alg, kid)
	}
	p, err := readPrivate(key)
	if err != nil {
		return nil, fmt.Errorf("make signer: %w", err)
	}
	switch {
	case p.use != "" && p.use != "sig":
		return nil, errors.New("make signer: the key is for another use")
	case alg == "" && p.alg != "":
		alg = p.alg
	case alg == "":
		alg = usualAlgorithm(p.family)
	case p.alg != "" && p.alg != alg:
		return nil, fmt.Errorf("make signer: the key is for another algorithm than %q", alg)
	}
	if familyOf(alg) != p.family {
		return nil, fmt.Errorf("make signer: the key does not fit the algorithm %q", alg)
	}
	if kid == "" {
		kid = p.id
	}
	material := any(p.key)
	if private, ok := p.key.(ed25519.PrivateKey); ok && alg == algEd25519 {
		material = ed25519Signer{private, &gojose.JSONWebKey{Key: p.public}}
	}
	s := newSigner(material, alg, kid)
	public := gojose.JSONWebKey{Key: p.public, KeyID: kid, Algorithm: alg, Use: "sig"}
	if s.public, err = public.MarshalJSON(); err != nil {
		return nil, errors.New("make signer: the key has no public form")
	}
	return s, s.selfTest()
}

func newMAC(key secret.Text, alg, kid string) (*Signer, error) {
	if isPEM(key) {
		return nil, fmt.Errorf("make signer: a key in PEM form is no secret for %q: give the key without that algorithm",
			alg)
	}
	s := newSigner([]byte(key.Reveal()), alg, kid)
	if err := s.selfTest(); err != nil {
		return nil, fmt.Errorf("make signer: the secret is too short for %q", alg)
	}
	return s, nil
}

// isPEM reports whether a secret is a key or a certificate in PEM form. A public one is known to all, who could sign.
func isPEM(s secret.Text) bool { return strings.Contains(s.Reveal(), "-----BEGIN ") }

func newSigner(material any, alg, kid string) *Signer {
	key := gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg), Key: material}
	return &Signer{kid: kid, key: func() gojose.SigningKey { return key }}
}

// selfTest signs once, so that a key that cannot is found when it is read.
func (s *Signer) selfTest() error {
	_, err := s.Sign("", struct{}{})
	return err
}

func usualAlgorithm(f family) string {
	switch f {
	case familyRSA:
		return "RS256"
	case familyP256:
		return "ES256"
	case familyP384:
		return "ES384"
	case familyP521:
		return "ES512"
	case familyEd25519:
		return "EdDSA"
	}
	return ""
}

// Sign returns claims, which must become a JSON object, as a compact JWS. An empty typ is left out of its header.
func (s *Signer) Sign(typ string, claims any) (secret.Text, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return secret.Text{}, errors.New("sign token: the claims cannot be written as JSON")
	}
	if _, ok := ReadClaims(payload); !ok {
		return secret.Text{}, errors.New("sign token: the claims are no JSON object")
	}
	options := &gojose.SignerOptions{}
	if typ != "" {
		options.WithType(gojose.ContentType(typ))
	}
	if s.kid != "" {
		options.WithHeader("kid", s.kid)
	}
	signer, err := gojose.NewSigner(s.key(), options)
	if err != nil {
		return secret.Text{}, errors.New("sign token: the key does not fit the algorithm")
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return secret.Text{}, errors.New("sign token: the key cannot sign")
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return secret.Text{}, errors.New("sign token: it has no compact form")
	}
	return secret.New(compact), nil
}

// Public returns the public key as a JWK with "kid", "alg" and "use"; nil for a secret.
func (s *Signer) Public() jsontext.Value { return s.public.Clone() }
