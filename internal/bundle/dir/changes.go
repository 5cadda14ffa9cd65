package dir

import "time"

// changes judges when changes on disk are over. They are when two readings a debounce apart were equal, and when no
// change was noticed for a while: twice the debounce, and longer when the changes so far came with longer pauses.
//
// With the zero value no change is pending.
type changes struct {
	debounce time.Duration
	began    time.Time     // of the changes; zero when there are none
	last     time.Time     // when a change was last noticed
	gap      time.Duration // the longest time between two of them
	hash     string        // of the newest reading; empty before the first
	since    time.Time     // when it was first seen
	// unmarked is set while last is no change, but the start of a watcher: the time since then is no pause.
	unmarked bool
}

const (
	// quietFactor times the debounce is the shortest quiet time.
	quietFactor = 2
	// gapFactor times the longest pause between two changes is the quiet time after changes with pauses.
	gapFactor = 3
	// longFactor times the debounce is the longest quiet time.
	longFactor = 10
	// maxDebounces times the debounce is the age from which pending changes are reported.
	maxDebounces = 50
)

// pending reports whether changes are being waited for.
func (c *changes) pending() bool { return !c.began.IsZero() }

// age is for how long changes have been waited for.
func (c *changes) age(now time.Time) time.Duration { return now.Sub(c.began) }

// noticed records that a change was noticed.
func (c *changes) noticed(now time.Time) {
	if c.began.IsZero() {
		c.began = now
	} else if !c.unmarked {
		c.gap = max(c.gap, now.Sub(c.last))
	}
	c.last, c.unmarked = now, false
}

// started records that a watcher starts, which looks whether something has changed.
func (c *changes) started(now time.Time) {
	c.noticed(now)
	c.unmarked = true
}

// extend records that a file is being written, whatever the readings are.
func (c *changes) extend(now time.Time) { c.last = now }

// observe records a reading, and returns how long it is until the changes are over: 0 when they are.
func (c *changes) observe(hash string, now time.Time) time.Duration {
	if hash != c.hash {
		if c.hash != "" {
			c.noticed(now)
		}
		c.hash, c.since = hash, now
	}
	quiet := min(max(quietFactor*c.debounce, gapFactor*c.gap), longFactor*c.debounce)
	return max(c.since.Add(c.debounce).Sub(now), c.last.Add(quiet).Sub(now), 0)
}

// next is the time until the next reading. The longer changes last, the less often they are read, for each reading is
// of all files.
func (c *changes) next(left time.Duration, now time.Time) time.Duration {
	slow := min(c.age(now)/10, 10*c.debounce)
	return max(min(left, c.debounce), slow, c.debounce/10)
}
