// Package jose verifies and signs compact JWS, decrypts compact JWE (RFC 7515, RFC 7516), and fetches key sets (RFC
// 7517). An unsigned token is refused.
//
// It follows RFC 8725 and its successor where the formats allow more; the cryptography is that of go-jose. The key is
// never chosen by the header of a token, except in VerifyEmbedded.
package jose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json/jsontext"
)

// The causes of a token that is not valid. Every error of Verify, VerifyEmbedded and Decrypt that is no *authz.Error
// wraps one of them.
var (
	ErrMalformed = errors.New("is no well-formed token")
	ErrType      = errors.New("has a typ that is not expected here")
	ErrAlgorithm = errors.New("has an alg or enc that is not allowed")
	ErrNoKey     = errors.New("names no key that is known and fits")
	ErrSignature = errors.New("has a signature that does not verify")
	ErrEncrypted = errors.New("cannot be decrypted")
)

func malformed(why string) error { return fmt.Errorf("read token: %w: %s", ErrMalformed, why) }

const (
	maxTokenBytes = 64 << 10
	maxCandidates = 64 // keys tried for one token that names none
)

// Expect is what a token must be before any key is looked for.
type Expect struct {
	// Types are the allowed values of "typ". Case and a leading "application/" make no difference (RFC 8725bis section
	// 3.11). An empty one allows a header without typ. An empty list allows nothing.
	Types []string
	// Algorithms are the allowed values of "alg", in their exact case. An empty list allows nothing, and none allows
	// "none". "EdDSA" and "Ed25519" (RFC 9864) are two names.
	Algorithms []string
	// MaxBytes bounds the token; 0 is 64 KiB.
	MaxBytes int
}

// Token is a verified JWS.
type Token struct {
	Header Header
	// Claims is one JSON object of valid UTF-8 without duplicate members.
	Claims jsontext.Value
}

// KeySource knows keys.
type KeySource interface {
	// Find returns the keys that may have signed a token with this header. No keys is an answer. An error is an
	// *authz.Error and means that there is no answer.
	Find(ctx context.Context, h Header) ([]Key, error)
}

// verifier is a KeySource that fetches its keys: they may be older than the token.
type verifier interface {
	verify(ctx context.Context, c *compact, s string) error
}

// Verify returns the claims of a compact JWS that one of the keys signed. A plain error means that the token is not
// valid, an *authz.Error that no keys are available to find out.
func Verify(ctx context.Context, s string, e Expect, keys KeySource) (Token, error) {
	c, err := e.precheck(s)
	if err != nil {
		return Token{}, err
	}
	if v, ok := keys.(verifier); ok {
		err = v.verify(ctx, &c, s)
	} else {
		var found []Key
		if found, err = keys.Find(ctx, c.header); err == nil {
			err = c.signedByOneOf(s, found)
		}
	}
	if err != nil {
		return Token{}, err
	}
	return c.token()
}

// VerifyEmbedded verifies a compact JWS with the public key in its own header, and returns that key's RFC 7638 SHA-256
// thumbprint in base64url. It proves only that the maker of the token holds the key: it is for DPoP proofs (RFC 9449).
func VerifyEmbedded(s string, e Expect) (t Token, thumbprint string, err error) {
	c, err := e.precheck(s)
	if err != nil {
		return Token{}, "", err
	}
	k, err := readKey(c.members["jwk"])
	if err != nil {
		return Token{}, "", malformed("its header holds no public key that can be used")
	}
	k.id = c.header.KeyID // whatever it calls the key
	if err := c.signedByOneOf(s, []Key{k}); err != nil {
		return Token{}, "", err
	}
	if thumbprint, err = k.thumbprint(); err != nil {
		return Token{}, "", err
	}
	t, err = c.token()
	if err != nil {
		return Token{}, "", err
	}
	return t, thumbprint, nil
}

// precheck checks all that can be checked without a key.
func (e Expect) precheck(s string) (compact, error) {
	limit := e.MaxBytes
	if limit == 0 {
		limit = maxTokenBytes
	}
	if len(s) > limit {
		return compact{}, malformed("it is too large")
	}
	c, err := split(s)
	if err != nil {
		return compact{}, err
	}
	if len(c.parts) != partsOfJWS {
		return compact{}, malformed("it is not signed")
	}
	if err := c.rejectCritical(); err != nil {
		return compact{}, err
	}
	if !slices.ContainsFunc(e.Types, func(t string) bool { return mediaType(t) == mediaType(c.header.Type) }) {
		return compact{}, fmt.Errorf("verify token: it %w", ErrType)
	}
	if !slices.Contains(e.Algorithms, c.header.Algorithm) || familyOf(c.header.Algorithm) == noFamily {
		return compact{}, fmt.Errorf("verify token: it %w", ErrAlgorithm)
	}
	for _, p := range c.parts[1:] {
		if _, err := decode(p); err != nil {
			return compact{}, err
		}
	}
	return c, nil
}

// mediaType is the form in which two types are compared: RFC 7515 section 4.1.9.
func mediaType(t string) string {
	t = strings.ToLower(t)
	if t == "" || strings.Contains(t, "/") {
		return t
	}
	return "application/" + t
}

// signedByOneOf tries those keys that fit the header.
func (c *compact) signedByOneOf(s string, keys []Key) error {
	tried := 0
	for _, k := range keys {
		if !k.fits(c.header) {
			continue
		}
		if tried++; tried > maxCandidates {
			break
		}
		signed, err := gojose.ParseSignedCompact(s, []gojose.SignatureAlgorithm{
			gojose.SignatureAlgorithm(c.header.Algorithm)})
		if err != nil {
			return malformed("its header cannot be used")
		}
		if _, err := signed.Verify(k.verifier(c.header.Algorithm)); err == nil {
			return nil
		}
	}
	if tried == 0 {
		return fmt.Errorf("verify token: it %w", ErrNoKey)
	}
	return fmt.Errorf("verify token: it %w", ErrSignature)
}

// token reads the claims. It is called when the signature has been verified.
func (c *compact) token() (Token, error) {
	payload, err := decode(c.parts[1])
	if err != nil {
		return Token{}, err
	}
	if _, ok := ReadClaims(payload); !ok {
		return Token{}, malformed("its claims are no JSON object with unique names")
	}
	return Token{Header: c.header, Claims: payload}, nil
}
