package plainhttp

import (
	"net/http"
	"testing"
	"time"
)

// TestADateIsThatOfItsSecond goes on, and back as a clock that is set does.
func TestADateIsThatOfItsSecond(t *testing.T) {
	var c clock
	begin := time.Date(2026, 12, 31, 23, 59, 58, 999_999_999, time.FixedZone("", 3600))
	for _, after := range []time.Duration{0, 1, time.Second, time.Second, 500 * 24 * time.Hour, -time.Second, 0} {
		now := begin.Add(after)
		if got, want := c.date(now), now.UTC().Format(http.TimeFormat); got != want {
			t.Errorf("%s after it: %s, want %s", after, got, want)
		}
	}
}
