package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// signedType is the media type of a signed response, and without "application/" its typ: RFC 9701 sections 4 and 5.
const signedType = "application/token-introspection+jwt"

// SignedResponse bounds what passes as a signed introspection response: RFC 9701.
type SignedResponse struct {
	Algorithms           []string      `yaml:"algorithms" default:"RS256" doc:"Accepted alg of the signature."`
	Audience             string        `yaml:"audience" doc:"Expected aud. Empty is client.id."`
	MaxAge               time.Duration `yaml:"max_age" default:"60s" min:"1s" max:"10m" doc:"Greatest age by iat; such a response can be replayed."`
	DecryptionKey        secret.Source `yaml:"decryption_key" doc:"Private key, PEM or JWK, of responses that are encrypted too. With it a response that is not encrypted is refused."`
	EncryptionAlgorithms []string      `yaml:"encryption_algorithms" default:"RSA-OAEP-256,ECDH-ES" doc:"Accepted alg of the encryption."`
	EncryptionEncodings  []string      `yaml:"encryption_encodings" default:"A128CBC-HS256,A256GCM" doc:"Accepted enc of the encryption."`
}

// Words are the algorithms that may be accepted.
func (SignedResponse) Words(key string) []string {
	switch key {
	case "algorithms":
		return jose.SignatureAlgorithms()
	case "encryption_algorithms":
		return jose.EncryptionAlgorithms()
	case "encryption_encodings":
		return jose.EncryptionEncodings()
	}
	return nil
}

// signed is what a signed introspection response must be: RFC 9701 section 5, JWI-1 to JWI-10.
//
// A response does not name its question: for an opaque token nothing in it can be compared with what was asked. An
// attacker inside the connection can answer with a young response about another token of this client: max_age bounds
// that. A JWT that is validated first must agree with its response on sub and jti where both have them.
//
// What the metadata says that the server can sign with (JWI-8) is not looked at: the operator says what may pass.
type signed struct {
	issuer, audience string
	maxAge, ahead    time.Duration
	expect           jose.Expect
	keys             jose.KeySource
	decrypter        *jose.Decrypter // nil unless responses are encrypted too
}

func newSigned(cfg SignedResponse, deps Deps) (*signed, error) {
	decrypter, err := jose.NewDecrypter(cfg.DecryptionKey, cfg.EncryptionAlgorithms, cfg.EncryptionEncodings)
	if err != nil {
		return nil, fmt.Errorf("signed_response.decryption_key: %w", err)
	}
	return &signed{
		issuer: deps.Endpoint.Issuer, audience: cmp.Or(cfg.Audience,
			deps.Endpoint.Client.ID), maxAge: cfg.MaxAge, ahead: deps.IssuedAhead,
		keys: deps.Keys, decrypter: decrypter,
		expect: jose.Expect{Types: []string{signedType}, Algorithms: cfg.Algorithms,
			MaxBytes: int(deps.Endpoint.MaxResponseBytes)},
	}, nil
}

// accept is the media type to ask for; plain is that of a server's plain answers.
func (s *signed) accept(plain string) string {
	if s == nil {
		return plain
	}
	return signedType
}

// open verifies a 200 and returns the answer inside, which is read like one that is not signed. Nothing else is read
// of it (JWI-3). An error never means that the token is bad. Most mean that the configuration and the registration at
// the server do not fit, or that answers were tampered with: an operator must look. Only what passes by itself is of
// kind unavailable.
func (s *signed) open(ctx context.Context, r oauth.Reply) ([]byte, error) {
	switch r.MediaType() {
	case signedType:
	case "application/json", "application/jwt": // JWI-10; some servers' application/jwt is another thing
		return nil, r.Refuse(authz.Misconfigured, "a signed answer is required, and this one is "+r.MediaType())
	default:
		return nil, r.Refuse(authz.Unavailable, "the content type is not "+signedType)
	}
	compact, err := s.decrypt(r, string(r.Body))
	if err != nil {
		return nil, err
	}
	t, err := jose.Verify(ctx, compact, s.expect, s.keys)
	if e, ok := errors.AsType[*authz.Error](err); ok {
		return nil, e
	}
	if err != nil {
		return nil, r.Refuse(kindOfSigned(err), "the signed answer "+whyUnverified(err))
	}
	claims, _ := jose.ReadClaims(t.Claims) // it is an object: the token has been verified
	return s.read(r, claims, time.Now())
}

// decrypt opens an encrypted response: JWI-5. With a decryption key only encrypted responses pass, without one only
// others.
func (s *signed) decrypt(r oauth.Reply, compact string) (string, error) {
	h, err := jose.Peek(compact)
	switch {
	case err != nil:
		return "", r.Refuse(authz.Unavailable, "the signed answer "+whyUnverified(err))
	case s.decrypter == nil && h.Encryption != "":
		return "", r.Refuse(authz.Misconfigured,
			"the answer is encrypted, and no signed_response.decryption_key is configured")
	case s.decrypter == nil:
		return compact, nil
	case h.Encryption == "":
		return "", r.Refuse(authz.Misconfigured,
			"the answer is not encrypted, and signed_response.decryption_key is configured")
	}
	inner, err := s.decrypter.Decrypt(compact)
	if err != nil {
		return "", r.Refuse(kindOfSigned(err), "the encrypted answer "+whyUnverified(err))
	}
	return inner, nil
}

// read checks the outer claims (JWI-6) and returns the inner object.
func (s *signed) read(r oauth.Reply, c jose.Claims, now time.Time) ([]byte, error) {
	iss, _ := c.Text("iss")
	aud, _ := c.Names("aud")
	iat, err := c.Time("iat", jose.Down)
	age := now.Sub(time.Unix(iat, 0))
	inner := c.Value("token_introspection")
	why := ""
	switch {
	case iss != s.issuer:
		why = "names another issuer than the configured one: " + dialect.Quote(iss) + ", configured is " +
			dialect.Quote(s.issuer)
	case !slices.Contains(aud, s.audience):
		why = fmt.Sprintf("is for %s, and signed_response.audience, by default client.id, is %s",
			dialect.Quote(aud...), dialect.Quote(s.audience))
	case err != nil:
		why = "cannot be read: " + err.Error()
	case !c.Has("iat"):
		why = "does not say when it was made"
	case age < -min(s.ahead, s.maxAge):
		why = fmt.Sprintf("was made %s in the future: the clocks differ by more than not_before_leeway",
			(-age).Round(time.Second))
	case age >= s.maxAge+time.Second: // iat has no fractions
		why = fmt.Sprintf(
			"was made %s ago, more than signed_response.max_age: the clocks differ, or it was sent before",
			age.Round(time.Second))
	case inner.Kind() != '{':
		why = "holds no token_introspection object (RFC 9701 section 5)"
	default:
		return inner, nil
	}
	return nil, r.Refuse(authz.Misconfigured, "the signed answer "+why)
}

// kindOfSigned says who must act. An unknown key is most often a new one; a damaged answer may be complete the next
// time.
func kindOfSigned(err error) authz.Kind {
	if errors.Is(err, jose.ErrNoKey) || errors.Is(err, jose.ErrMalformed) {
		return authz.Unavailable
	}
	return authz.Misconfigured
}

// whyUnverified is the text of a known error of jose, which quotes nothing.
func whyUnverified(err error) string {
	for _, known := range []error{jose.ErrMalformed, jose.ErrType, jose.ErrAlgorithm, jose.ErrNoKey,
		jose.ErrSignature, jose.ErrEncrypted} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "cannot be verified"
}
