package events

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	leeway       = time.Minute // by which clocks may differ: what is taken too generously costs one question
	maxNameBytes = 1 << 10     // of identifiers, which go into indexes
)

// texts is a text or a list of them, as "aud" is (RFC 7519 section 4.1.3).
type texts []string

// UnmarshalJSON reads either form.
func (t *texts) UnmarshalJSON(b []byte) error {
	if v := jsontext.Value(b); v.Kind() == '"' {
		var one string
		err := json.Unmarshal(b, &one)
		*t = texts{one}
		return err
	}
	var many []string
	err := json.Unmarshal(b, &many)
	*t = many
	return err
}

func (t texts) anyOf(accepted []string) bool {
	return slices.ContainsFunc(t, func(a string) bool { return a != "" && slices.Contains(accepted, a) })
}

// instant is a NumericDate; nil when there is none.
type instant = *float64

// moment reads a time in seconds. Some write milliseconds: no event is from after the year 5000.
func moment(i instant) (time.Time, bool) {
	const inMilliseconds = 1e11
	if i == nil || *i <= 0 || math.IsNaN(*i) || *i > 1e15 {
		return time.Time{}, false
	}
	s := *i
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
