package jose

import (
	"hash/maphash"
	"time"

	"github.com/authz-sidecar/sidecar/internal/recent"
)

// maxPresented bounds the tokens that are remembered.
const maxPresented = 1024

// presented remembers when each token arrived that no known key verified. The fetch that a token caused also refuses a
// repetition of it, which causes no other fetch. It is not safe for concurrent use.
type presented struct {
	every   time.Duration // how long a token is remembered
	seed    maphash.Seed
	arrived *recent.Map[uint64, time.Time]
}

func newPresented(every time.Duration) presented {
	return presented{every: every, seed: maphash.MakeSeed(),
		arrived: recent.New[uint64, time.Time](maxPresented, every)}
}

// since is when a token first arrived that arrives now.
func (p *presented) since(token string, now time.Time) time.Time {
	digest := maphash.String(p.seed, token)
	if at, ok := p.arrived.Get(digest, now); ok && now.Sub(at) < p.every {
		return at
	}
	p.arrived.Put(digest, now, now)
	return now
}

// evidence is what a token that no key verifies says about the age of its key. One that lies is refused sooner, or
// later.
type evidence struct {
	issued time.Time // zero when it does not say
	// neverValid is set when no key makes the token valid: it expired long ago, or its claims cannot be read.
	neverValid bool
}

const (
	// between the clocks of the issuer and of the sidecar, and the part of a second that iat lacks
	clockSkew   = 2 * time.Second
	longExpired = 10 * time.Minute // more than any leeway
)

// before reports whether the token was issued before a time, as far as it says.
func (e evidence) before(t time.Time) bool { return e.issued.Add(clockSkew).Before(t) }

func (c *compact) evidence() (e evidence) {
	payload, err := decode(c.parts[1])
	if err != nil {
		return evidence{neverValid: true}
	}
	claims, ok := ReadClaims(payload)
	if !ok {
		return evidence{neverValid: true}
	}
	if at, err := claims.Time("iat", Down); err == nil && at > 0 {
		e.issued = time.Unix(at, 0)
	}
	if at, err := claims.Time("exp", Down); err == nil && at > 0 {
		e.neverValid = time.Since(time.Unix(at, 0)) > longExpired
	}
	return e
}
