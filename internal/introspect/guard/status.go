package guard

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/status"
)

func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	}
	return "closed"
}

// Status is the state of the breaker, and of the limits that refuse questions. The limit on questions in flight is the
// cache's.
func (g *Guard) Status() (status.Breaker, status.Limits) {
	now := time.Now()
	b, hold, refusing := g.breaker.status(now)
	l := status.Limits{RetryAfter: hold}
	if refusing != "" {
		l.Refusing = append(l.Refusing, refusing)
	}
	g.guesses.addTo(&l, now)
	return b, l
}

// status is the state, until when Retry-After is obeyed (zero when it is not), and the cause of the refusal that a
// question would get now ("" when it would go through).
func (b *breaker) status(now time.Time) (s status.Breaker, hold time.Time, refusing string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s = status.Breaker{State: b.state.String(), Since: b.since}
	if b.capacity < b.limit {
		s.Capacity = b.capacity
	}
	if now.Before(b.hold.until) {
		hold, refusing = b.hold.until, causeRetryAfter
	}
	if b.state != Closed {
		s.NextProbe = b.nextProbe
		if hold.After(s.NextProbe) {
			s.NextProbe = hold
		}
	}
	if refusing == "" && now.Before(b.nextProbe) && (b.state != Closed || b.epoch.inFlight >= b.capacity) {
		refusing = causeOpen
	}
	return s, hold, refusing
}

// addTo adds the limits on unknown tokens to l.
func (g *guessLimiter) addTo(l *status.Limits, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Before(g.sourceUntil) {
		l.Refusing = append(l.Refusing, causeUnknownSource)
	}
	if g.total == nil {
		return
	}
	left := g.total.TokensAt(now)
	if left < 1 {
		l.Refusing = append(l.Refusing, causeUnknownTotal)
	}
	burst := g.total.Burst()
	l.UnknownTokens = &status.Use{Used: burst - int(left), Limit: burst}
}
