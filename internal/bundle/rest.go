package bundle

import "time"

// rest judges when changes on disk are over. They are when two looks a debounce apart were equal, and when no change was
// noticed for a while: twice the debounce, and longer when the changes so far came with longer pauses.
//
// The zero value waits for nothing.
type rest struct {
	debounce time.Duration
	began    time.Time     // of the changes; zero when there are none
	last     time.Time     // when a change was last noticed
	gap      time.Duration // the longest time between two of them
	mark     string        // what the newest look saw; empty before the first
	since    time.Time     // when it was first seen
}

const (
	// quietFactor times the debounce is the shortest quiet time.
	quietFactor = 2
	// gapFactor times the longest pause between two changes is the quiet time after changes with pauses.
	gapFactor = 3
	// longFactor times the debounce is the longest quiet time.
	longFactor = 10
	// patienceFactor times the debounce is the age at which a change is said to be waited for.
	patienceFactor = 50
)

// waits reports whether changes are being waited for.
func (r *rest) waits() bool { return !r.began.IsZero() }

// age is for how long changes have been waited for.
func (r *rest) age(now time.Time) time.Duration { return now.Sub(r.began) }

// notice records that a change was noticed.
func (r *rest) notice(now time.Time) {
	if r.began.IsZero() {
		r.began = now
	} else {
		r.gap = max(r.gap, now.Sub(r.last))
	}
	r.last = now
}

// hold records that a file is being written, whatever the looks see.
func (r *rest) hold(now time.Time) { r.last = now }

// look records what was seen, and returns how long it is until the changes are over: 0 when they are.
func (r *rest) look(mark string, now time.Time) time.Duration {
	if mark != r.mark {
		if r.mark != "" {
			r.notice(now)
		}
		r.mark, r.since = mark, now
	}
	quiet := min(max(quietFactor*r.debounce, gapFactor*r.gap), longFactor*r.debounce)
	return max(r.since.Add(r.debounce).Sub(now), r.last.Add(quiet).Sub(now), 0)
}

// next is the time until the next look. Changes that last are looked at less and less often, for each look reads
// everything.
func (r *rest) next(left time.Duration, now time.Time) time.Duration {
	slow := min(r.age(now)/10, 10*r.debounce)
	return max(min(left, r.debounce), slow, r.debounce/10)
}
