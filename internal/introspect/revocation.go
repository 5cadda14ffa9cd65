package introspect

import (
	"math"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// revocation names, by their marks, tokens that were revoked. No marks mean every token.
type revocation struct {
	marks   []mark
	before  authz.Time // tokens issued later are not meant
	by      revoker
	session mark // that ended; 0 where it is not the end of one session
	arrived time.Time
	number  uint64 // its place in the log
}

// revoker is who said that a token is over.
type revoker uint8

const (
	notRevoked  revoker = iota
	byNeighbour         // of another session of the same user, and perhaps of this one
	byOperator
	byEvent // that the issuer signed
)

func revokerOf(v authz.Revocation) revoker {
	if v.Event {
		return byEvent
	}
	return byOperator
}

// of is who revoked a token of sessions by v.
func (v *revocation) of(sessions []mark) revoker {
	if v.session != 0 && len(sessions) > 0 && !slices.Contains(sessions, v.session) {
		return byNeighbour
	}
	return v.by
}

const (
	// maxAhead is how far the clock of whatever reports a revocation may be ahead of ours.
	maxAhead = time.Minute
	always   = authz.Time(math.MaxInt64)
)

// before is the time up to which the tokens that v means were issued. A token that is named itself is meant whenever it
// was issued. Where v has no time of the issuer's clock, that clock may be ahead of ours by as much as it may be for a token
// to be used: a token issued a moment before v says that it was issued a moment after. So one that is issued within that time
// after v is over, too; later ones are not. A report from the future is not believed for longer than clocks may differ:
// milliseconds that are taken for seconds would revoke everything that is ever issued.
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
