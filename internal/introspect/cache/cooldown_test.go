package cache

import (
	"testing"
	"time"
)

func TestTheCooldownIsBounded(t *testing.T) {
	s, now := newCooldown(), time.Now()
	s.maxTokens = 2
	s.begin([]mark{1, 2}, now)
	if s.begin([]mark{3}, now); len(s.perToken) != 2 || s.global != now {
		t.Errorf("%d are held", len(s.perToken))
	}
	if s.begin([]mark{3}, now.Add(cooldownWait)); len(s.perToken) != 1 {
		t.Errorf("later %d are held", len(s.perToken))
	}
}

func TestTokensAreLatelyRevokedForAMinute(t *testing.T) {
	r, now := testLog(0), time.Now()
	r.limit = 2
	at := func(m mark, when time.Time) { r.add(revocation{marks: []mark{m}, arrived: when}) }
	at(1, now)
	at(2, now)
	at(2, now.Add(time.Second)) // once more is once, and later
	for name, c := range map[string]struct {
		marks []mark
		asked time.Time
		at    time.Time
		want  bool
	}{
		"the first":              {[]mark{1}, now.Add(cooldownPeriod - 1), now, true},
		"the first, later":       {[]mark{1}, now.Add(cooldownPeriod), now, false},
		"the second":             {[]mark{7, 2}, now.Add(cooldownPeriod), now.Add(time.Second), true},
		"the second, even later": {[]mark{7, 2}, now.Add(cooldownPeriod + time.Second), now.Add(time.Second), false},
		"both":                   {[]mark{1, 2}, now, now.Add(time.Second), true},
		"another":                {[]mark{7}, now, time.Time{}, false},
	} {
		if got, ok := r.latest(c.marks, c.asked); ok != c.want || !got.Equal(c.at) {
			t.Errorf("%s: %v, %t", name, got.Sub(now), ok)
		}
	}
	at(3, now.Add(2*time.Second)) // there is no room: what is forgotten counts for every token
	if got, ok := r.latest([]mark{7}, now.Add(2*time.Second)); !ok || !got.Equal(now) {
		t.Errorf("another token, when there was no room: %v, %t", got.Sub(now), ok)
	}
	at(4, now.Add(2*cooldownPeriod))
	if _, ok := r.latest([]mark{7}, now.Add(2*cooldownPeriod)); ok || r.log.Len() != 1 {
		t.Errorf("later: %t, %d in the log", ok, r.log.Len())
	}
}
