package dir

import (
	"testing"
	"time"
)

// step is what happens at a moment: a change is noticed, or a look sees a mark.
type step struct {
	at   time.Duration
	mark string        // of a look; empty for a change
	left time.Duration // what the look says
}

func TestRest_NeedsTwoEqualLooksAndAQuietTime(t *testing.T) {
	const d = 100 * time.Millisecond
	for name, steps := range map[string][]step{
		"one change": {
			{at: 0}, {at: d, mark: "a", left: d}, {at: 2 * d, mark: "a"},
		},
		"a change between two looks": {
			{at: 0}, {at: d, mark: "a", left: d}, {at: d + 50}, {at: 2 * d, mark: "a", left: 2*d - 50 + (d + 50) - d}, {at: 5 * d, mark: "a"},
		},
		"looks that differ, without events": {
			{at: 0}, {at: 0, mark: "a", left: 2 * d}, {at: 2 * d, mark: "b", left: 6 * d}, {at: 8 * d, mark: "b"},
		},
		"changes with pauses are waited for longer": {
			{at: 0}, {at: d + d/2}, {at: 3 * d}, {at: 4 * d, mark: "a", left: 3*d + d/2}, {at: 8 * d, mark: "a"},
		},
		"but not for ever": {
			{at: 0}, {at: 15 * d}, {at: 15 * d, mark: "a", left: 10 * d}, {at: 25 * d, mark: "a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, start := changes{debounce: d}, time.Now()
			for i, s := range steps {
				if s.mark == "" {
					r.noticed(start.Add(s.at))
					continue
				}
				left := r.observe(s.mark, start.Add(s.at))
				if (left == 0) != (s.left == 0) || left < s.left-3*d || left > s.left+3*d {
					t.Errorf("step %d: %s left, want %s", i, left, s.left)
				}
			}
		})
	}
}

func TestRest_LooksLessOftenTheLongerItLasts(t *testing.T) {
	const d = 100 * time.Millisecond
	r, start := changes{debounce: d}, time.Now()
	r.noticed(start)
	for age, want := range map[time.Duration]time.Duration{0: d, 5 * d: d, 50 * d: 5 * d, 1000 * d: 10 * d} {
		if got := r.next(2*d, start.Add(age)); got != want {
			t.Errorf("after %s: %s, want %s", age, got, want)
		}
	}
}
