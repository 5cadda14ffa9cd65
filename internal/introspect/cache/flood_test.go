package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestTwoHundredThousandRandomTokensLeaveMemoryBounded(t *testing.T) {
	asked := 0
	body := []byte(`{"active":true,"sub":"u","x":"` + strings.Repeat("x", 600) + `"}`)
	c := open(t, func(_ context.Context, q introspect.Question) (introspect.Fact, error) {
		asked++
		if strings.HasPrefix(q.Token.Reveal(), "good") {
			return answer(authz.Claims{}), nil
		}
		if asked%2 == 0 {
			return answer(authz.Claims{Subject: authz.Subject{ID: "u"}, Raw: bytes.Clone(body)}), nil
		}
		f := introspect.Fact{Fact: dialect.Unusable(authz.NotUsable(authz.Inactive, "is not active"), time.Now()),
			Endpoint: endpoint}
		f.Keep = dialect.Inactive
		return f, nil
	}, func(c *Config) {
		c.TTL, c.MaxEntries, c.MaxBytes, c.NegativeMaxEntries = time.Hour, 10_000, 64<<20, 10_000
	})
	good := func() (again int) {
		before := asked
		for n := range 50 {
			ask(t, c, fmt.Sprint("good", n))
		}
		return asked - before
	}
	good()
	before := testkit.Heap()
	for n := range 200_000 {
		if _, err := c.fetch(t.Context(), asking(rand.Text())); err != nil {
			t.Fatal(err)
		}
		if n%2000 == 0 && good() > 0 { // they are in use while the flood goes on
			t.Fatal("good tokens were pushed out")
		}
	}
	after, s := testkit.Heap(), c.Stats()
	t.Logf("heap %.1f MiB before, %.1f MiB after; %+v", float64(before)/(1<<20), float64(after)/(1<<20), s)
	if s.Active.Entries > 10_000 || s.Active.Bytes > 64<<20 || s.Inactive.Entries > 10_000 {
		t.Errorf("stats %+v", s)
	}
	if estimate := s.Active.Bytes + s.Inactive.Bytes; after > before+estimate+16<<20 {
		t.Errorf("heap grew from %d to %d bytes, and %d were estimated", before, after, estimate)
	}
	runtime.KeepAlive(c)
}
