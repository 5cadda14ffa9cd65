package fetch_test

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

func TestJitterIsShorterThanItsBound(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		d := fetch.Jitter(time.Second)
		if d < 0 || d >= time.Second {
			t.Fatal(d)
		}
		seen[d] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 pauses have %d lengths", len(seen))
	}
	if d := fetch.Jitter(0); d != 0 {
		t.Error(d)
	}
}
