package introspect

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// lifetime says how old an answer may be, counted from when it was asked for. No answer is used at or past its exp.
type lifetime struct {
	soft time.Duration // younger, it is used and nobody is asked
	hard time.Duration // younger, it is used, marked stale, and refreshed behind the back of whoever uses it
	last time.Duration // younger, it is used, marked stale, when the server was asked and did not answer
}

// lifetimes are those of active and of inactive answers. An inactive one is never stale: that would turn good tokens away.
func (c CacheConfig) lifetimes() (active, inactive lifetime) {
	active = lifetime{soft: c.TTL, hard: max(c.TTL, c.HardTTL)}
	active.last = active.hard + c.StaleIfError
	return active, lifetime{c.NegativeTTL, c.NegativeTTL, c.NegativeTTL}
}

// directives is what the Cache-Control field of an answer says (RFC 9111 section 5.2.2). The zero value says nothing.
type directives struct {
	limited    bool // most is meant
	most       time.Duration
	revalidate bool // once over, not even an outage excuses its use
}

// within shortens l as d demands, and never lengthens it.
func (l lifetime) within(d directives) lifetime {
	if d.limited {
		l.soft, l.hard, l.last = min(l.soft, d.most), min(l.hard, d.most), min(l.hard, d.most)+l.last-l.hard
	}
	if d.revalidate {
		l.last = l.hard
	}
	return l
}

// directivesOf reads Cache-Control and Age. Of two lifetimes the shorter holds, and one that cannot be read is none:
// RFC 9111 section 4.2.1. "private" is no limit, for the answer is kept for the one client that asked.
func directivesOf(h http.Header) directives {
	var d directives
	for _, field := range h.Values("Cache-Control") {
		for part := range strings.SplitSeq(field, ",") { // a comma inside quotes yields words that mean nothing here
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-store", "no-cache":
				d.limit(0)
				d.revalidate = true
			case "must-revalidate", "proxy-revalidate":
				d.revalidate = true
			case "max-age", "s-maxage":
				d.limit(seconds(value) - seconds(h.Get("Age")))
			}
		}
	}
	return d
}

func (d *directives) limit(most time.Duration) {
	most = max(most, 0)
	if d.limited {
		most = min(most, d.most)
	}
	d.limited, d.most = true, most
}

// seconds reads delta-seconds (RFC 9111 section 1.2.2): too many are very many, and what is no number is none.
func seconds(value string) time.Duration {
	const many = 1 << 31
	n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		n = many
	} else if err != nil {
		n = 0
	}
	return time.Duration(min(n, many)) * time.Second
}
