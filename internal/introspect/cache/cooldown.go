package cache

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// cooldown delays the first question after a revocation. Some servers send the event of a session's end before the
// end is in force: Keycloak sends logout tokens and k_logout within the transaction that ends the session, and
// answers "active" to a question at once. Cached for a whole lifetime, that answer would make the event worthless. A
// question in the moment of the commit can even revive the session: Keycloak 26.7 then goes on calling its tokens
// active.
//
// Answers to later questions are kept for an eighth of the time since the revocation: so the revocation takes effect
// soon after the commit, whenever that is, and a token is asked about some fifty times at the most.
type cooldown struct {
	maxTokens int

	mu sync.Mutex // guards what follows
	// perToken is when the answers about a token were last evicted, by the mark of the token; global is the same for
	// all tokens, and for those beyond maxTokens.
	perToken map[mark]time.Time
	global   time.Time
}

const (
	// cooldownWait is how long the first question waits.
	cooldownWait = 40 * time.Millisecond
	// cooldownPeriod is how long the end may take to be in force: the transaction may include calls to other servers.
	cooldownPeriod = time.Minute
	// shortestCooldownTTL is the shortest time for which an answer is kept, so that one token under load is one
	// question at a time.
	shortestCooldownTTL = 25 * time.Millisecond
	cooldownFraction    = 8
	// maxCoolingTokens bounds perToken.
	maxCoolingTokens = 1024
)

func newCooldown() *cooldown {
	return &cooldown{maxTokens: maxCoolingTokens, perToken: map[mark]time.Time{}}
}

// begin delays the next question about each of tokens.
func (s *cooldown) begin(tokens []mark, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.perToken, func(_ mark, at time.Time) bool { return now.Sub(at) >= cooldownWait })
	if len(s.perToken)+len(tokens) > s.maxTokens {
		s.global = now
		return
	}
	for _, m := range tokens {
		s.perToken[m] = now
	}
}

// beginAll is begin for every token.
func (s *cooldown) beginAll(now time.Time) {
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

// shorten is the lifetime of an answer about a token that was revoked some time before it was asked about. Such an
// answer is not refreshed in the background, and no outage excuses its use.
func shorten(life lifetime, since time.Duration) lifetime {
	most := max(shortestCooldownTTL, since/cooldownFraction)
	return lifetime{min(life.soft, most), min(life.hard, most), min(life.hard, most)}
}
