package jose

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Ignored is a key of a set that may not be used.
type Ignored struct {
	// Index is its place in the set, from 0. ID and Type are its kid and kty, shortened; empty when they cannot be
	// read.
	Index    int
	ID, Type string
	// Cause is why: "its n is not base64url without padding". It holds nothing of the key.
	Cause string
	// Expected is set when the key is well formed and only meant for something else, as keys for encryption are.
	Expected bool
}

// String names the key and the cause.
func (i Ignored) String() string {
	name := fmt.Sprintf("key %d", i.Index)
	var parts []string
	if i.ID != "" {
		parts = append(parts, fmt.Sprintf("kid %q", i.ID))
	}
	if i.Type != "" {
		parts = append(parts, fmt.Sprintf("kty %q", i.Type))
	}
	if len(parts) > 0 {
		name += " (" + strings.Join(parts, ", ") + ")"
	}
	return name + ": " + i.Cause
}

// IgnoredKeyError is about a token that no key verifies, and that a key of the set may have signed which may not be
// used.
type IgnoredKeyError struct {
	Key Ignored
	// Named is set when the token names that key.
	Named bool
	// Err is ErrNoKey or ErrSignature.
	Err error
}

// Why says it as a predicate of the token.
func (e *IgnoredKeyError) Why() string {
	if e.Named {
		return "names a key that is ignored: " + e.Key.String()
	}
	return "may be signed by a key that is ignored: " + e.Key.String()
}

func (e *IgnoredKeyError) Error() string { return "verify token: it " + e.Why() }
func (e *IgnoredKeyError) Unwrap() error { return e.Err }

const maxShown = 64

// shorten cuts a text of a key set for a log or an error.
func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := s[:maxShown]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return cut + "..."
}

// explain adds to bad which ignored key may have signed the token: the one that it names, or a damaged one of its type
// where one of the two has no name.
func (r *keySet) explain(h Header, bad error) error {
	for _, k := range r.ignored {
		if h.KeyID != "" && len(r.byID[h.KeyID]) == 0 && k.ID == shorten(h.KeyID) {
			return &IgnoredKeyError{k, true, bad}
		}
	}
	for _, k := range r.ignored {
		if (h.KeyID == "" || k.ID == "") && !k.Expected && k.Type == typeFor(familyOf(h.Algorithm)) {
			return &IgnoredKeyError{k, false, bad}
		}
	}
	return bad
}

// typeFor is the kty of the keys of a family.
func typeFor(f family) string {
	switch f {
	case familyRSA:
		return "RSA"
	case familyP256, familyP384, familyP521:
		return "EC"
	case familyEd25519:
		return "OKP"
	case noFamily, familyHMAC:
	}
	return "none"
}
