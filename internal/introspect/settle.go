package introspect

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// settling gives a server time to mean what it said. Some tell of the end of a session before it is in force: Keycloak sends
// logout tokens and k_logout within the transaction that ends the session, so whoever asks at once is told that the token is
// active. Kept for a whole lifetime, that answer would make the event worthless. And what is asked in the very moment of
// the commit can bring the session back to life: Keycloak 26.7 then goes on calling its tokens active.
//
// So the first question after a revocation waits for a moment. An answer that was asked for later is kept for an eighth of
// the time since: the end is felt soon after the server means it, whenever that is, and a token is asked about some fifty
// times at the most.
type settling struct {
	most int

	mu   sync.Mutex // guards what follows
	late []unsettled
	all  time.Time // of the latest revocation of every token, and of those that were too many to remember
	// held are the tokens whose answers a revocation took away, by their own marks, and when; crowd is of those that were
	// too many, and stands for every token.
	held  map[mark]time.Time
	crowd time.Time
}

// unsettled names, by their marks, tokens that were revoked lately.
type unsettled struct {
	marks []mark
	at    time.Time
}

const (
	// settleWait is how long the first question waits.
	settleWait = 40 * time.Millisecond
	// settleFor is how long a server may take to mean what it said: it may have to call others within the transaction.
	settleFor = time.Minute
	// settleFloor is the shortest time for which an answer is kept, so that one token under load is one question at a time.
	settleFloor = 25 * time.Millisecond
	settlePart  = 8
	// maxSettling bounds what is remembered, and looked at with each answer.
	maxSettling = 1024
)

func newSettling() *settling { return &settling{most: maxSettling, held: map[mark]time.Time{}} }

// add remembers that the tokens that have all of marks were revoked at a time; no marks mean every token.
func (s *settling) add(marks []mark, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(marks) == 0 {
		s.late, s.all, s.crowd = nil, now, now
		return
	}
	s.late = slices.DeleteFunc(s.late, func(u unsettled) bool {
		return now.Sub(u.at) >= settleFor || slices.Equal(u.marks, marks)
	})
	if len(s.late) >= s.most {
		s.late, s.all = s.late[1:], now
	}
	s.late = append(s.late, unsettled{marks, now})
}

// hold lets the next question about tokens wait.
func (s *settling) hold(tokens []mark, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.held, func(_ mark, at time.Time) bool { return now.Sub(at) >= settleWait })
	if len(s.held)+len(tokens) > s.most {
		s.crowd = now
		return
	}
	for _, m := range tokens {
		s.held[m] = now
	}
}

// wait returns when a token may be asked about, or when ctx ends.
func (s *settling) wait(ctx context.Context, token mark) {
	s.mu.Lock()
	at := s.crowd
	if own := s.held[token]; own.After(at) {
		at = own
	}
	s.mu.Unlock()
	left := settleWait - time.Since(at)
	if !at.IsZero() {
		fetch.Sleep(ctx, left)
	}
}

// shorten is life for an answer about a token that has marks and was asked about at a time. While it settles an answer is
// not refreshed behind anybody's back, and no outage excuses its use.
func (s *settling) shorten(life lifetime, marks []mark, asked time.Time) lifetime {
	since, ok := s.latest(marks, asked)
	if !ok {
		return life
	}
	most := max(settleFloor, asked.Sub(since)/settlePart)
	return lifetime{min(life.soft, most), min(life.hard, most), min(life.hard, most)}
}

// latest is when a token was revoked last, if that still settles.
func (s *settling) latest(marks []mark, asked time.Time) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.all
	for i := len(s.late) - 1; i >= 0 && s.late[i].at.After(at); i-- {
		if within(s.late[i].marks, marks) {
			at = s.late[i].at
		}
	}
	return at, !at.IsZero() && asked.Sub(at) < settleFor
}
