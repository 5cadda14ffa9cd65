package cache

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// lifetime says how old an answer may be, counted from when it was asked for. No answer is used at or past its exp.
type lifetime struct {
	soft time.Duration // younger, it is used without a question
	hard time.Duration // younger, it is used, marked stale, and refreshed in the background
	last time.Duration // younger, it is used, marked stale, when the server was asked and failed
}

// lifetimes are those of active and of inactive answers. An inactive one is never stale: that would turn good tokens
// away.
func (c Config) lifetimes() (active, inactive lifetime) {
	active = lifetime{soft: c.TTL, hard: max(c.TTL, c.HardTTL)}
	active.last = active.hard + c.StaleIfError
	return active, lifetime{c.NegativeTTL, c.NegativeTTL, c.NegativeTTL}
}

// LongestUse is how long an active answer may be used without a question.
func (c Config) LongestUse() time.Duration {
	active, _ := c.lifetimes()
	return active.last
}

// fresh is authz.Claims.FreshFor of an active answer.
func (l lifetime) fresh() time.Duration {
	if l.soft == 0 && l.last > 0 {
		return 1 // 0 would set no limit
	}
	return l.soft
}

// within shortens l as an answer demands, and never lengthens it.
func (l lifetime) within(d introspect.CacheControl) lifetime {
	if d.Limited {
		l.soft, l.hard, l.last = min(l.soft, d.MaxAge), min(l.hard, d.MaxAge), min(l.hard, d.MaxAge)+l.last-l.hard
	}
	if d.MustRevalidate {
		l.last = l.hard
	}
	return l
}
