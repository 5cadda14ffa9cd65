package events

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

const (
	leeway       = time.Minute // by which clocks may differ: what is taken too generously costs one question
	maxNameBytes = 1 << 10     // of identifiers, which go into indexes
)

// anyOf reports whether a member that is a text, or a list of them, as "aud" is (RFC 7519 section 4.1.3), holds an accepted one.
func anyOf(c jose.Claims, name string, accepted []string) bool {
	said, err := c.Names(name)
	return err == nil && slices.ContainsFunc(said, func(s string) bool { return s != "" && slices.Contains(accepted, s) })
}

// moment reads a time in seconds, fractions and all. Some write milliseconds: no event is from after the year 5000.
func moment(c jose.Claims, name string) (time.Time, bool) {
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

var errIdentifier = errors.New("an identifier in it is empty, too long, or holds control characters")

// identifier reports whether a text is fit to name somebody.
func identifier(s string) bool {
	return s != "" && len(s) <= maxNameBytes && !strings.ContainsFunc(s, unicode.IsControl)
}
