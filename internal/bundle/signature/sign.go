package signature

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Signing is how a bundle is signed.
type Signing struct {
	// Key is the private key in PEM or JWK form, or the secret of HS256, HS384 and HS512.
	Key secret.Text
	// Algorithm is that of the key; empty for the usual one of its type.
	Algorithm string
	// KeyID is what verifiers know the key by. It is required, unless a JWK names one.
	KeyID string
	Scope string
	// Review is what the signer has read; nil when none is named.
	Review *Review
	Now    time.Time
}

// Sign returns the bundle with a signature of all its files that OPA verifies, in place of an earlier one.
// Countersignatures of the same files stay. Its error is bundle.Problems when files cannot be signed.
func Sign(a *archive.Archive, s Signing) (*archive.Archive, error) {
	files, ps := hashes(a)
	if len(ps) > 0 {
		return nil, ps.Sorted()
	}
	token, err := s.sign(typeOPA, claims{Files: files, Digest: a.Digest})
	if err != nil {
		return nil, err
	}
	e := envelope{Signatures: []string{token}}
	if former, err := readEnvelope(a.Signatures); err == nil {
		e.Countersignatures = slices.DeleteFunc(former.Countersignatures, func(t string) bool {
			return unverified(t).Digest != a.Digest
		})
	}
	return withSignatures(a, e)
}

// Countersign returns the bundle with one signature more, which OPA passes over. One of the same key is replaced.
func Countersign(a *archive.Archive, s Signing) (*archive.Archive, error) {
	if a.Signatures == nil {
		return nil, errors.New("countersign bundle: it is not signed yet: sign it first, without --countersign")
	}
	e, err := readEnvelope(a.Signatures)
	if err != nil {
		return nil, fmt.Errorf("countersign bundle: read %s: %w", archive.SignaturesName, err)
	}
	digest, err := signedDigest(a, unverified(e.Signatures[0]))
	if err != nil {
		return nil, err
	}
	token, err := s.sign(typeCounter, claims{Digest: digest})
	if err != nil {
		return nil, err
	}
	own, err := keyID(token)
	if err != nil {
		return nil, err
	}
	e.Countersignatures = slices.DeleteFunc(e.Countersignatures, func(t string) bool {
		id, err := keyID(t)
		return err != nil || id == own
	})
	if len(e.Countersignatures) >= maxCountersignatures {
		return nil, errors.New("countersign bundle: it holds 16 countersignatures already")
	}
	e.Countersignatures = append(e.Countersignatures, token)
	return withSignatures(a, e)
}

// signedDigest is the digest of the files that a signature names.
func signedDigest(a *archive.Archive, c claims) (string, error) {
	var covered []archive.File
	for _, f := range a.Files {
		if slices.ContainsFunc(c.Files, func(h fileHash) bool { return h.Name == f.Stored }) {
			covered = append(covered, f)
		}
	}
	digest := archive.Digest(covered)
	if len(covered) != len(c.Files) || c.Digest != "" && c.Digest != digest {
		return "", errors.New("countersign bundle: its signature is of other files: the bundle was changed since")
	}
	return digest, nil
}

func (s Signing) sign(typ string, c claims) (string, error) {
	signer, err := jose.NewSigner(s.Key, s.Algorithm, s.KeyID)
	if err != nil {
		return "", fmt.Errorf("sign bundle: %w", err)
	}
	c.Scope, c.Review, c.IssuedAt, c.KeyID = s.Scope, s.Review, s.Now.Unix(), s.KeyID
	token, err := signer.Sign(typ, c)
	if err != nil {
		return "", fmt.Errorf("sign bundle: %w", err)
	}
	if h, err := jose.Peek(token.Reveal()); err != nil || h.KeyID == "" {
		return "", errors.New("sign bundle: the key has no id: give the id that verifiers know it by, --key-id ID")
	}
	return token.Reveal(), nil
}

func withSignatures(a *archive.Archive, e envelope) (*archive.Archive, error) {
	raw, err := e.bytes()
	if err != nil {
		return nil, fmt.Errorf("sign bundle: write %s: %w", archive.SignaturesName, err)
	}
	signed := *a
	signed.Signatures = raw
	return &signed, nil
}

// Stated is what the signatures of a bundle say of themselves. Nothing of it is verified.
type Stated struct {
	KeyID     string    `json:"key_id"`
	Algorithm string    `json:"algorithm"`
	Counter   bool      `json:"countersignature,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Digest    string    `json:"digest,omitempty"`
	Reviewed  string    `json:"reviewed,omitempty"`
}

// State reads the signatures of a bundle without keys; none when it is not signed.
func State(a *archive.Archive) ([]Stated, error) {
	if a.Signatures == nil {
		return nil, nil
	}
	e, err := readEnvelope(a.Signatures)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", archive.SignaturesName, err)
	}
	var out []Stated
	for i, token := range slices.Concat(e.Signatures, e.Countersignatures) {
		h, err := jose.Peek(token)
		if err != nil {
			return nil, fmt.Errorf("read %s: a signature is no JWT", archive.SignaturesName)
		}
		c := unverified(token)
		s := Stated{KeyID: h.KeyID, Algorithm: h.Algorithm, Counter: i >= len(e.Signatures), Digest: c.Digest,
			Reviewed: c.review().Report}
		if c.IssuedAt > 0 {
			s.At = time.Unix(c.IssuedAt, 0).UTC()
		}
		out = append(out, s)
	}
	return out, nil
}
