package introspect

import (
	"slices"
	"sync"
	"time"
)

// settling keeps answers short for a while after a revocation. Some servers tell of the end of a session before they mean
// it: Keycloak sends logout tokens and k_logout within the transaction that ends the session, so whoever asks at once is
// told that the token is active. Kept for a whole lifetime, that answer would make the event worthless.
//
// An answer that was asked for some time after the revocation is kept for an eighth of that time. So the end is felt soon
// after the server means it, whenever that is, and a token is asked about some fifty times at the most.
type settling struct {
	most int

	mu   sync.Mutex
	late []unsettled // in order
	all  time.Time   // of the latest revocation of every token, and of those that were too many to remember
}

// unsettled names, by their marks, tokens that were revoked lately.
type unsettled struct {
	marks []mark
	at    time.Time
}

const (
	// settleFor is how long a server may take to mean what it said: it may have to call others within the transaction.
	settleFor = time.Minute
	// settleFloor is the shortest time for which an answer is kept, so that one token under load is one question at a time.
	settleFloor = 25 * time.Millisecond
	settlePart  = 8
	maxSettling = 1024
)

func newSettling() *settling { return &settling{most: maxSettling} }

// add remembers that the tokens that have all of marks were revoked at a time; no marks mean every token.
func (s *settling) add(marks []mark, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	if len(marks) == 0 {
		s.late, s.all = nil, now
		return
	}
	s.late = slices.DeleteFunc(s.late, func(u unsettled) bool { return slices.Equal(u.marks, marks) })
	if len(s.late) >= s.most {
		s.late, s.all = s.late[1:], now
	}
	s.late = append(s.late, unsettled{marks, now})
}

func (s *settling) forget(now time.Time) {
	for len(s.late) > 0 && now.Sub(s.late[0].at) >= settleFor {
		s.late = s.late[1:]
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
