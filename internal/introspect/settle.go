package introspect

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// cooldown gives a server time to mean what it said. Some tell of the end of a session before it is in force: Keycloak sends
// logout tokens and k_logout within the transaction that ends the session, so whoever asks at once is told that the token is
// active. Kept for a whole lifetime, that answer would make the event worthless. And what is asked in the very moment of
// the commit can bring the session back to life: Keycloak 26.7 then goes on calling its tokens active.
//
// So the first question after a revocation waits for a moment. An answer that was asked for later is kept for an eighth of
// the time since: the end is felt soon after the server means it, whenever that is, and a token is asked about some fifty
// times at the most.
type cooldown struct {
	most int

	mu sync.Mutex // guards what follows
	// perToken are the tokens whose answers a revocation took away, by their own marks, and when; crowd is of those that were
	// too many, and stands for every token.
	perToken map[mark]time.Time
	global   time.Time
}

const (
	// cooldownWait is how long the first question waits.
	cooldownWait = 40 * time.Millisecond
	// cooldownPeriod is how long a server may take to mean what it said: it may have to call others within the transaction.
	cooldownPeriod = time.Minute
	// shortestCooldownTTL is the shortest time for which an answer is kept, so that one token under load is one question at a time.
	shortestCooldownTTL = 25 * time.Millisecond
	cooldownFraction    = 8
	// maxCoolingTokens bounds the tokens that are held.
	maxCoolingTokens = 1024
)

func newCooldown() *cooldown {
	return &cooldown{most: maxCoolingTokens, perToken: map[mark]time.Time{}}
}

// hold lets the next question about tokens wait.
func (s *cooldown) hold(tokens []mark, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.perToken, func(_ mark, at time.Time) bool { return now.Sub(at) >= cooldownWait })
	if len(s.perToken)+len(tokens) > s.most {
		s.global = now
		return
	}
	for _, m := range tokens {
		s.perToken[m] = now
	}
}

// holdAll is hold for every token.
func (s *cooldown) holdAll(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.global = now
}

// wait returns when a token may be asked about, or when ctx ends.
func (s *cooldown) wait(ctx context.Context, token mark) {
	s.mu.Lock()
	at := s.global
	if own := s.perToken[token]; own.After(at) {
		at = own
	}
	s.mu.Unlock()
	if !at.IsZero() {
		fetch.Sleep(ctx, cooldownWait-time.Since(at))
	}
}

// shorten is life for an answer about a token that was revoked a time before it was asked about. While it settles an answer is
// not refreshed in the background, and no outage excuses its use.
func shorten(life lifetime, since time.Duration) lifetime {
	most := max(shortestCooldownTTL, since/cooldownFraction)
	return lifetime{min(life.soft, most), min(life.hard, most), min(life.hard, most)}
}
