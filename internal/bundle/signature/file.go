package signature

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

// The types of the tokens, so that neither stands for the other.
const (
	typeOPA     = "JWT"
	typeCounter = "bundle-countersignature+jwt"
)

const (
	maxToken             = 32 << 20 // bytes: it names each file
	maxCountersignatures = 16
)

// envelope is the file of signatures. OPA reads signatures and plugin.
type envelope struct {
	Signatures        []string `json:"signatures,omitempty"`
	Plugin            string   `json:"plugin,omitempty"`
	Countersignatures []string `json:"countersignatures,omitempty"`
}

// readEnvelope reads the file of signatures. What OPA would read of it is read in the same way, or the file is
// refused.
func readEnvelope(raw []byte) (envelope, error) {
	var e envelope
	err := json.Unmarshal(raw, &e, json.RejectUnknownMembers(true))
	switch {
	case err != nil:
		return e, errors.New("it is not a JSON object with signatures and countersignatures, which are lists of texts")
	case e.Plugin != "" && e.Plugin != "_default":
		return e, errors.New("it names a plugin that OPA was extended with")
	case len(e.Signatures) == 0:
		return e, errors.New("it holds no signature")
	case len(e.Signatures) > 1:
		return e, errors.New("it holds more than one signature, and OPA takes exactly one: " +
			"add another by sidecar bundle sign --countersign")
	case len(e.Countersignatures) > maxCountersignatures:
		return e, errors.New("it holds more than 16 countersignatures")
	}
	return e, nil
}

func (e envelope) bytes() ([]byte, error) {
	raw, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(raw)
	if err := v.Indent(jsontext.WithIndent(" ")); err != nil {
		return nil, err
	}
	return append(v, '\n'), nil
}

// claims are those of both kinds of signatures.
type claims struct {
	// Files are OPA's: name, hash and algorithm of each file. A countersignature has none.
	Files []fileHash `json:"files,omitempty"`
	// KeyID is where OPA looks when the header names no key.
	KeyID string `json:"keyid,omitempty"`
	Scope string `json:"scope,omitempty"`
	// Digest is archive.Digest of the signed files. A signature by OPA has none.
	Digest    string  `json:"digest,omitempty"`
	Review    *Review `json:"review,omitempty"`
	IssuedAt  int64   `json:"iat,omitzero"`
	NotBefore int64   `json:"nbf,omitzero"`
	ExpiresAt int64   `json:"exp,omitzero"`
}

// Review is what a signature says of the review that the signer has seen.
type Review struct {
	// Report is the digest of the report: "sha256:<hex>".
	Report string `json:"report"`
	// Old is the content digest of the bundle that the new one was compared with; empty when there was none.
	Old string `json:"old,omitempty"`
}

// readClaims reads verified claims. Names are unique in them already.
func readClaims(t jose.Token) (claims, error) {
	var c claims
	if err := json.Unmarshal(t.Claims, &c); err != nil {
		return c, errors.New("has claims that are not those of a bundle")
	}
	for _, d := range []string{c.Digest, c.review().Report, c.review().Old} {
		if d != "" && !isDigest(d) {
			return c, errors.New("names a digest that is not sha256:<hex>")
		}
	}
	if c.Review != nil && c.Review.Report == "" {
		return c, errors.New("names a review without its report")
	}
	return c, nil
}

func (c claims) review() Review {
	if c.Review == nil {
		return Review{}
	}
	return *c.Review
}

// isDigest reports whether s is "sha256:" and 64 hexadecimal digits in lower case.
func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// keyID is which key a token names, before it is verified: the kid of its header, else what OPA reads in its claims.
func keyID(token string) (string, error) {
	h, err := jose.Peek(token)
	if err != nil {
		return "", err
	}
	if h.KeyID != "" {
		return h.KeyID, nil
	}
	return unverified(token).KeyID, nil
}

// unverified are the claims of a token that only help to find its key, or to tell whether it is of this bundle at all.
func unverified(token string) (c claims) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !bytes.HasPrefix(raw, []byte("{")) {
		return claims{}
	}
	if json.Unmarshal(raw, &c) != nil {
		return claims{}
	}
	return c
}
