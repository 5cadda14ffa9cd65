package dir

import (
	"testing"
	"time"
)

// step is what happens at a moment: a change is noticed, or a reading has a hash.
type step struct {
	at   time.Duration
	hash string        // of a reading; empty for a change
	left time.Duration // until the changes are over, after a reading
}

func TestChanges_AreOverAfterTwoEqualReadingsAndAQuietTime(t *testing.T) {
	const d = 100 * time.Millisecond
	for name, steps := range map[string][]step{
		"one change": {
			{at: 0}, {at: d, hash: "a", left: d}, {at: 2 * d, hash: "a"},
		},
		"a change between two readings": {
			{at: 0}, {at: d, hash: "a", left: d}, {at: d + 50},
			{at: 2 * d, hash: "a", left: 2 * d}, {at: 5 * d, hash: "a"},
		},
		"readings that differ, without events": {
			{at: 0}, {at: 0, hash: "a", left: 2 * d}, {at: 2 * d, hash: "b", left: 6 * d}, {at: 8 * d, hash: "b"},
		},
		"changes with pauses extend the wait": {
			{at: 0}, {at: d + d/2}, {at: 3 * d}, {at: 4 * d, hash: "a", left: 3*d + d/2}, {at: 8 * d, hash: "a"},
		},
		"which is bounded": {
			{at: 0}, {at: 15 * d}, {at: 15 * d, hash: "a", left: 10 * d}, {at: 25 * d, hash: "a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, start := changes{debounce: d}, time.Now()
			for i, s := range steps {
				if s.hash == "" {
					r.noticed(start.Add(s.at))
					continue
				}
				left := r.observe(s.hash, start.Add(s.at))
				if (left == 0) != (s.left == 0) || left < s.left-3*d || left > s.left+3*d {
					t.Errorf("step %d: %s left, want %s", i, left, s.left)
				}
			}
		})
	}
}

func TestChanges_AreReadLessOftenTheLongerTheyLast(t *testing.T) {
	const d = 100 * time.Millisecond
	r, start := changes{debounce: d}, time.Now()
	r.noticed(start)
	for age, want := range map[time.Duration]time.Duration{0: d, 5 * d: d, 50 * d: 5 * d, 1000 * d: 10 * d} {
		if got := r.next(2*d, start.Add(age)); got != want {
			t.Errorf("after %s: %s, want %s", age, got, want)
		}
	}
}

func TestChanges_TheTimeSinceTheStartIsNoPause(t *testing.T) {
	const d = 100 * time.Millisecond
	r, start := changes{debounce: d}, time.Now()
	r.started(start)
	r.observe("a", start)
	r.noticed(start.Add(4 * d))
	r.observe("b", start.Add(4*d))
	if left := r.observe("b", start.Add(5*d)); left != d {
		t.Errorf("%s left, want %s", left, d)
	}
}
