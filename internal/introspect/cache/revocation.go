package cache

import (
	"math"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// revocation names, by their marks, tokens that were revoked. No marks mean every token.
type revocation struct {
	marks   []mark
	before  authz.Time // tokens issued later are not meant
	by      introspect.Revoker
	session mark // that ended; 0 where it is not the end of one session
	arrived time.Time
	number  uint64 // its place in the log
}

func revokerOf(v authz.Revocation) introspect.Revoker {
	if v.Event {
		return introspect.ByEvent
	}
	return introspect.ByOperator
}

// of is the Revoker of a token of sessions by v.
func (v *revocation) of(sessions []mark) introspect.Revoker {
	if v.session != 0 && len(sessions) > 0 && !slices.Contains(sessions, v.session) {
		return introspect.ByOtherSession
	}
	return v.by
}

const (
	// maxAhead is how far the clock that a revocation is reported by may be ahead of the sidecar's.
	maxAhead = time.Minute
	always   = authz.Time(math.MaxInt64)
)

// before is the time up to which the tokens that v means were issued. A token that is named itself is meant whenever
// it was issued. Where v has no time of the issuer's clock, that clock may be ahead of the sidecar's by the tolerance
// for tokens: a token issued a moment before v may say that it was issued a moment after. So tokens issued within the
// tolerance after v are meant too, and later ones are not. A time in the future counts no further than clocks may
// differ: milliseconds read as seconds would revoke every token that is ever issued.
func before(v authz.Revocation, ahead time.Duration, now time.Time) authz.Time {
	switch {
	case !v.Token.Empty() || v.TokenID != "":
		return always
	case v.At.IsZero():
		return authz.At(now.Add(ahead))
	case v.At.After(now.Add(maxAhead)):
		return authz.At(now.Add(maxAhead))
	}
	return authz.At(v.At)
}
