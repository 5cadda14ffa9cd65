package jose

import (
	"hash/maphash"
	"time"
)

// mostPresented bounds the tokens of each generation.
const mostPresented = 512

// presented remembers for a while when each token came that no known key verified. A client that sends the same bad token
// again is told so by the fetch that its first request caused, and causes no other. It is not safe for concurrent use.
type presented struct {
	every        time.Duration // how long a token is remembered
	seed         maphash.Seed
	newer, older map[uint64]time.Time
	begun        time.Time
}

// since is when a token first came that comes now.
func (p *presented) since(token string, now time.Time) time.Time {
	if p.newer == nil || now.Sub(p.begun) >= p.every || len(p.newer) >= mostPresented {
		if p.newer == nil {
			p.seed = maphash.MakeSeed()
		}
		p.older, p.newer, p.begun = p.newer, map[uint64]time.Time{}, now
	}
	digest := maphash.String(p.seed, token)
	for _, g := range []map[uint64]time.Time{p.newer, p.older} {
		if at, ok := g[digest]; ok && now.Sub(at) < p.every {
			return at
		}
	}
	p.newer[digest] = now
	return now
}

// evidence is what a token that does not verify says about the age of its key. It can lie: then it is its own loss.
type evidence struct {
	issued time.Time // zero when it does not say
	// hopeless is set when no key makes the token good: it is long expired, or its claims cannot be read.
	hopeless bool
}

const (
	clockSkew   = 2 * time.Second  // between the clock of the issuer and ours, and the part of a second that iat lacks
	longExpired = 10 * time.Minute // more than any leeway
)

// before reports whether the token was issued before a time, as far as it says.
func (e evidence) before(t time.Time) bool { return e.issued.Add(clockSkew).Before(t) }

func (c *compact) evidence() (e evidence) {
	payload, err := decode(c.parts[1])
	if err != nil {
		return evidence{hopeless: true}
	}
	claims, ok := ReadClaims(payload)
	if !ok {
		return evidence{hopeless: true}
	}
	if at, err := claims.Time("iat", Down); err == nil && at > 0 {
		e.issued = time.Unix(at, 0)
	}
	if at, err := claims.Time("exp", Down); err == nil && at > 0 {
		e.hopeless = time.Since(time.Unix(at, 0)) > longExpired
	}
	return e
}
