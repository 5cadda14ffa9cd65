package remote

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// cacheControl reads Cache-Control and Age. Of two lifetimes the shorter holds, and one that cannot be read is none:
// RFC 9111 section 4.2.1. "private" is no limit, for the answer is kept for the one client that asked.
func cacheControl(h http.Header) introspect.CacheControl {
	var c introspect.CacheControl
	limit := func(most time.Duration) {
		most = max(most, 0)
		if c.Limited {
			most = min(most, c.MaxAge)
		}
		c.Limited, c.MaxAge = true, most
	}
	for _, field := range h.Values("Cache-Control") {
		for part := range strings.SplitSeq(field, ",") { // a comma inside quotes yields words that mean nothing here
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-store", "no-cache":
				limit(0)
				c.MustRevalidate = true
			case "must-revalidate", "proxy-revalidate":
				c.MustRevalidate = true
			case "max-age", "s-maxage":
				limit(seconds(value) - seconds(h.Get("Age")))
			}
		}
	}
	return c
}

// seconds reads delta-seconds (RFC 9111 section 1.2.2): too many are very many, and what is no number is 0.
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
