package signals

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

const (
	// ClockSkew is by how much clocks may differ. It is generous: a signal that is accepted too late costs one
	// question.
	ClockSkew = time.Minute

	maxIdentifierBytes = 1 << 10 // identifiers go into indexes
)

// HasAny reports whether a member that is a text or a list of texts, as "aud" is (RFC 7519 section 4.1.3), holds an
// accepted one.
func HasAny(c jose.Claims, name string, accepted []string) bool {
	values, err := c.Names(name)
	return err == nil && slices.ContainsFunc(values, func(s string) bool {
		return s != "" &&
			slices.Contains(accepted, s)
	})
}

// Time reads a time in seconds, with a fraction. Some servers send milliseconds, which are told by their size: as
// seconds they would be after the year 5000.
func Time(c jose.Claims, name string) (time.Time, bool) {
	const inMilliseconds = 1e11
	s, ok := c.Number(name)
	if !ok || s <= 0 || s > 1e15 {
		return time.Time{}, false
	}
	if s > inMilliseconds {
		s /= 1e3
	}
	return time.UnixMilli(int64(s * 1e3)), true
}

// ErrIdentifier refuses a signal with a malformed identifier.
var ErrIdentifier = errors.New("an identifier in it is empty, too long, or holds control characters")

// IsIdentifier reports whether a text can identify a subject, a session or a signal.
func IsIdentifier(s string) bool {
	return s != "" && len(s) <= maxIdentifierBytes && !strings.ContainsFunc(s, unicode.IsControl)
}
