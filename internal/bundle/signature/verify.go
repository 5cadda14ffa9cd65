package signature

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// Verify says who signed a bundle. Without configured keys it says nothing and refuses nothing. Its error is
// bundle.Problems: a signature that is missing where it is required, that does not hold, or that is not of all files.
func (k *Keys) Verify(a *archive.Archive) (bundle.Signed, error) {
	v := verification{Archive: a, cfg: k.cfg, keys: k.current(), now: k.now().Unix()}
	if len(k.cfg.Keys) == 0 || a.Signatures == nil && !k.cfg.required() {
		return bundle.Signed{}, nil
	}
	if a.Signatures == nil {
		return bundle.Signed{}, bundle.Problems{{File: a.Name, Code: bundle.CodeSignature,
			Message: "the bundle is not signed: sign it with sidecar bundle sign, by one of the keys " + ids(v.keys)}}
	}
	if v.all(); len(v.problems) > 0 {
		return bundle.Signed{}, v.problems.Sorted()
	}
	return v.signed, nil
}

// verification is that of one bundle.
type verification struct {
	*archive.Archive
	cfg  Config
	keys []jose.Pinned
	now  int64

	problems bundle.Problems
	signed   bundle.Signed
	prints   []string // of the keys of signed.Signers
	covered  string   // digest of the signed files
}

func (v *verification) complain(file, format string, args ...any) {
	v.problems.Add(path.Join(v.Name, file), bundle.CodeSignature, format, args...)
}

func (v *verification) all() {
	e, err := readEnvelope(v.Signatures)
	if err != nil {
		v.complain(archive.SignaturesName, "%s", err)
		return
	}
	c, ok := v.token("the signature", e.Signatures[0], typeOPA, "")
	if !ok || !v.files(c) {
		return
	}
	if c.Digest != "" && c.Digest != v.covered {
		v.complain(archive.SignaturesName, "the signature names the digest %s, and that of the files is %s: "+
			"a file was changed", c.Digest, v.covered)
		return
	}
	v.signed.Reviewed = c.review().Report
	for i, token := range e.Countersignatures {
		v.countersignature(i, token)
	}
	v.roles()
	if v.cfg.Reviewed && v.signed.Reviewed == "" {
		v.complain(archive.SignaturesName, "no signature names a review: run sidecar bundle review, and sign with "+
			"sidecar bundle sign --reviewed REPORT")
	}
}

// countersignature verifies one of those that OPA passes over. That of a key that is not configured says nothing.
func (v *verification) countersignature(i int, token string) {
	what := fmt.Sprintf("countersignature %d", i+1)
	id, err := keyID(token)
	if err == nil && !slices.ContainsFunc(v.keys, func(k jose.Pinned) bool { return k.ID() == id }) {
		return
	}
	c, ok := v.token(what, token, typeCounter)
	switch {
	case !ok:
	case c.Digest != v.covered:
		v.complain(archive.SignaturesName, "%s by %q is of other files: countersign this bundle again", what, id)
	case c.Review != nil:
		v.signed.Reviewed = c.Review.Report
	}
}

// token verifies one token, and adds who signed it.
func (v *verification) token(what, token string, types ...string) (claims, bool) {
	id, err := keyID(token)
	if err != nil {
		v.complain(archive.SignaturesName, "%s %s", what, cause(err))
		return claims{}, false
	}
	candidates := v.keys
	if id != "" {
		candidates = slices.DeleteFunc(slices.Clone(v.keys), func(k jose.Pinned) bool { return k.ID() != id })
	}
	if len(candidates) == 0 {
		v.complain(archive.SignaturesName, "%s is by key %q, which is not configured: the keys are %s", what, id,
			ids(v.keys))
		return claims{}, false
	}
	var t jose.Token
	for _, k := range candidates {
		if t, err = k.Verify(token, maxToken, types...); err != nil {
			continue
		}
		c, err := readClaims(t)
		if err == nil {
			err = v.inForce(c)
		}
		if err != nil {
			v.complain(archive.SignaturesName, "%s %s", what, err)
			return claims{}, false
		}
		v.signed.Signers = append(v.signed.Signers, bundle.Signer{KeyID: k.ID(), Role: v.cfg.roleOf(k.ID()),
			Algorithm: t.Header.Algorithm})
		v.prints = append(v.prints, k.Print())
		return c, true
	}
	v.complain(archive.SignaturesName, "%s by key %q %s: compare the key with that of the signer", what, id,
		cause(err))
	return claims{}, false
}

// cause is what is wrong with a token, as a predicate.
func cause(err error) string {
	if errors.Is(err, jose.ErrSignature) {
		return "does not hold"
	}
	for _, known := range []error{jose.ErrType, jose.ErrAlgorithm, jose.ErrNoKey} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return jose.ErrMalformed.Error()
}

// inForce compares scope and times. A signature has a time to live only if its signer gave it one.
func (v *verification) inForce(c claims) error {
	switch {
	case c.Scope != v.cfg.Scope:
		return fmt.Errorf("has the scope %q, and %q is configured", c.Scope, v.cfg.Scope)
	case c.ExpiresAt != 0 && v.now >= c.ExpiresAt:
		return errors.New("has expired: sign the bundle again")
	case c.NotBefore != 0 && v.now < c.NotBefore-clockSkew:
		return errors.New("is not valid yet: compare the clocks")
	}
	return nil
}

const clockSkew = 60 // seconds

// files compares the files with those that OPA's signature names.
func (v *verification) files(c claims) bool {
	before := len(v.problems)
	named := map[string]fileHash{}
	for _, h := range c.Files {
		if _, twice := named[h.Name]; twice {
			v.complain(archive.SignaturesName, "the signature names the file %q twice", h.Name)
		}
		named[h.Name] = h
	}
	var covered []archive.File
	for _, f := range v.Files {
		h, ok := named[f.Stored]
		delete(named, f.Stored)
		switch {
		case ok:
			covered = append(covered, f)
			v.file(f, h)
		case !v.excluded(f):
			v.complain(f.Name, "the file is not in the signature: it was added after the bundle was signed")
		}
	}
	for name := range named {
		v.complain(archive.SignaturesName, "the signature names the file %q, which is not in the bundle", name)
	}
	v.covered = archive.Digest(covered)
	return len(v.problems) == before
}

func (v *verification) file(f archive.File, h fileHash) {
	algorithm := opa.HashingAlgorithm(h.Algorithm)
	if !isStrong(algorithm) {
		v.complain(f.Name, "the hash %q is too weak, or not known: sign with SHA-256", h.Algorithm)
		return
	}
	switch sum, err := hashOf(f, algorithm); {
	case err != nil:
		v.complain(f.Name, "the file cannot be compared with its signature: %s", err)
	case !strings.EqualFold(sum, h.Hash):
		v.complain(f.Name, "the file is not the one that was signed: its hash differs")
	}
}

// excluded reports whether a file need not be signed. Policy, data and tests are never excluded.
func (v *verification) excluded(f archive.File) bool {
	return f.Kind == bundle.Other && slices.ContainsFunc(v.cfg.Exclude, func(pattern string) bool {
		ok, _ := path.Match(pattern, f.Name)
		return ok
	})
}

// wellFormed reports whether a pattern is one.
func wellFormed(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err == nil && pattern != ""
}

// roles checks that each role has signed, with a key that no other role has signed with.
func (v *verification) roles() {
	by := map[string]string{} // role by key
	for i, s := range v.signed.Signers {
		if other, twice := by[v.prints[i]]; twice && other != s.Role {
			v.complain(archive.SignaturesName, "one key signed as %s and as %s", other, s.Role)
		}
		by[v.prints[i]] = s.Role
	}
	for _, r := range v.cfg.Signers {
		if !slices.ContainsFunc(v.signed.Signers, func(s bundle.Signer) bool { return s.Role == r.Role }) {
			v.complain(archive.SignaturesName, "the %s has not signed: sign with one of the keys %s; a second "+
				"signature takes sidecar bundle sign --countersign", r.Role, strings.Join(r.Keys, ", "))
		}
	}
}
