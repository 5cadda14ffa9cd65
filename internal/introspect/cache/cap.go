package cache

import "time"

// ttlCap shortens the use of answers below their own lifetime.
type ttlCap struct {
	longest time.Duration // 0 is no cap
	since   time.Time     // answers asked for before are not used, with a cap or without
}

// Cap bounds how long answers are used, on top of their own lifetimes; 0 lifts the bound. It is for the time in which
// no event would tell of a revocation (EV-2). What had grown too old by then stays so: the event of its revocation
// may have been lost.
func (c *Cache) Cap(lifetime time.Duration) {
	c.cap.Store(&ttlCap{lifetime, c.notBefore(time.Time{}, time.Now())})
}

// notBefore is since, or later where there is a cap.
func (c *Cache) notBefore(since, now time.Time) time.Time {
	limit := c.cap.Load()
	if limit == nil {
		return since
	}
	if limit.since.After(since) {
		since = limit.since
	}
	if limit.longest > 0 && now.Add(-limit.longest).After(since) {
		return now.Add(-limit.longest)
	}
	return since
}
