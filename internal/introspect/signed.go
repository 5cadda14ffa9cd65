package introspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// signedType is the media type of a signed response, and without "application/" its typ: RFC 9701 sections 4 and 5.
const signedType = "application/token-introspection+jwt"

// seal is what a signed introspection response must be: RFC 9701 section 5, JWI-1 to JWI-10.
//
// A response names nobody's question: for an opaque token nothing in it can be compared with what was asked. Whoever can
// break into the connection can answer with a response about another token of this same client, as long as it is young:
// max_age bounds that. A JWT that is validated first must agree with its response on sub and jti where both have them.
//
// What the metadata says that the server can sign with (JWI-8) is not looked at: what may pass is for the operator to say.
type seal struct {
	issuer, audience string
	maxAge, ahead    time.Duration
	expect           jose.Expect
	keys             jose.KeySource
	decrypter        *jose.Decrypter // nil unless responses are encrypted too
}

// newSeal returns nil when signed responses are not asked for.
func newSeal(cfg Config, keys jose.KeySource, d *jose.Decrypter) *seal {
	if !cfg.RequireSigned {
		return nil
	}
	return &seal{
		issuer: cfg.Endpoint.Issuer, audience: cfg.signedAudience(), maxAge: cfg.SignedResponse.MaxAge, ahead: cfg.issuedAhead(), keys: keys, decrypter: d,
		expect: jose.Expect{
			Types: []string{signedType}, Algorithms: algorithms(cfg.SignedResponse.Algorithms), MaxBytes: int(cfg.Endpoint.MaxResponseBytes),
		},
	}
}

// accept is the media type to ask for; plain is that of a server's plain answers.
func (s *seal) accept(plain string) string {
	if s == nil {
		return plain
	}
	return signedType
}

// open verifies a 200 and returns the answer inside, which is read like one that is not signed. Nothing else is read of it
// (JWI-3). An error never means that the token is bad. Most mean that what is configured here and what is registered there
// do not fit, or that somebody tampers with answers: an operator must look. Only what time mends is called unavailable.
func (s *seal) open(ctx context.Context, r oauth.Reply) ([]byte, error) {
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
		return nil, r.Refuse(kindOfSeal(err), "the signed answer "+whySealed(err))
	}
	claims, _ := jose.ReadClaims(t.Claims) // it is an object: the token has been verified
	return s.read(r, claims, time.Now())
}

// decrypt opens an encrypted response: JWI-5. Once encryption is agreed upon nothing else passes, and the other way round.
func (s *seal) decrypt(r oauth.Reply, compact string) (string, error) {
	h, err := jose.Peek(compact)
	switch {
	case err != nil:
		return "", r.Refuse(authz.Unavailable, "the signed answer "+whySealed(err))
	case s.decrypter == nil && h.Encryption != "":
		return "", r.Refuse(authz.Misconfigured, "the answer is encrypted, and no signed_response.decryption_key is configured")
	case s.decrypter == nil:
		return compact, nil
	case h.Encryption == "":
		return "", r.Refuse(authz.Misconfigured, "the answer is not encrypted, and signed_response.decryption_key is configured")
	}
	inner, err := s.decrypter.Decrypt(compact)
	if err != nil {
		return "", r.Refuse(kindOfSeal(err), "the encrypted answer "+whySealed(err))
	}
	return inner, nil
}

// read checks the outer claims (JWI-6) and returns the inner object.
func (s *seal) read(r oauth.Reply, c jose.Claims, now time.Time) ([]byte, error) {
	iss, _ := c.Text("iss")
	aud, _ := c.Names("aud")
	iat, err := c.Time("iat", jose.Down)
	age := now.Sub(time.Unix(iat, 0))
	inner := c.Value("token_introspection")
	why := ""
	switch {
	case iss != s.issuer:
		why = "names another issuer than the configured one: " + dialect.Quote(iss) + ", configured is " + dialect.Quote(s.issuer)
	case !slices.Contains(aud, s.audience):
		why = fmt.Sprintf("is for %s, and signed_response.audience, by default client.id, is %s", dialect.Quote(aud...), dialect.Quote(s.audience))
	case err != nil:
		why = "cannot be read: " + err.Error()
	case !c.Has("iat"):
		why = "does not say when it was made"
	case age < -min(s.ahead, s.maxAge):
		why = fmt.Sprintf("was made %s in the future: the clocks differ by more than not_before_leeway", (-age).Round(time.Second))
	case age >= s.maxAge+time.Second: // iat has no fractions
		why = fmt.Sprintf("was made %s ago, more than signed_response.max_age: the clocks differ, or it was sent before", age.Round(time.Second))
	case inner.Kind() != '{':
		why = "holds no token_introspection object (RFC 9701 section 5)"
	default:
		return inner, nil
	}
	return nil, r.Refuse(authz.Misconfigured, "the signed answer "+why)
}

// kindOfSeal says who must act. An unknown key is most often a new one; a damaged answer may be whole the next time.
func kindOfSeal(err error) authz.Kind {
	if errors.Is(err, jose.ErrNoKey) || errors.Is(err, jose.ErrMalformed) {
		return authz.Unavailable
	}
	return authz.Misconfigured
}

// whySealed says in words of our own what an error of jose says, which quotes nothing either.
func whySealed(err error) string {
	for _, known := range []error{jose.ErrMalformed, jose.ErrType, jose.ErrAlgorithm, jose.ErrNoKey, jose.ErrSignature, jose.ErrEncrypted} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "cannot be verified"
}
