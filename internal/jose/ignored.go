package jose

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Ignored is a key of a set that may not be used.
type Ignored struct {
	// Index is its place in the set, from 0. ID and Type are its kid and kty, shortened; empty when they cannot be read.
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

// IgnoredKeyError is ErrNoKey about a token whose key is in the set and may not be used.
type IgnoredKeyError struct{ Key Ignored }

func (e *IgnoredKeyError) Error() string {
	return "verify token: it names a key of the set that is ignored: " + e.Key.String()
}

func (e *IgnoredKeyError) Unwrap() error { return ErrNoKey }

const maxShown = 64

// shown shortens a text of a key set for a log or an error.
func shown(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := s[:maxShown]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return cut + "..."
}

// explain adds to bad what is known of the key that a token names.
func (r *ring) explain(h Header, bad error) error {
	if h.KeyID == "" || len(r.byID[h.KeyID]) > 0 {
		return bad
	}
	for _, k := range r.ignored {
		if k.ID == shown(h.KeyID) {
			return &IgnoredKeyError{k}
		}
	}
	return bad
}
