package introspect

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// heap is the memory in use after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// through takes a token through the cache as Introspect does, with a server that says body, and reports whether the
// server had to be asked.
func through(t *testing.T, i *Issuer, tok, body string) (asked bool) {
	key := i.keys.of(secret.New(tok), "", Introspect)
	if i.cache.look(key, time.Time{}, time.Now()) != nil {
		return false
	}
	d := i.cache.revoked.begin()
	defer i.cache.revoked.land(d)
	f, err := i.client.reader.Read([]byte(body), secret.Text{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	i.cache.keep(key, secret.New(tok), fact{Fact: f}, d, func() {})
	return true
}

func TestTwoHundredThousandRandomTokensLeaveMemoryBounded(t *testing.T) {
	cfg := testConfig(t, "https://as.example/introspect")
	cfg.Cache = CacheConfig{TTL: time.Hour, NegativeTTL: time.Minute, MaxEntries: 10000, MaxBytes: 64 << 20, NegativeMaxEntries: 10000}
	i, err := New(cfg, Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	answers := []string{`{"active":false}`, `{"active":true,"sub":"u","x":"` + strings.Repeat("x", 600) + `"}`}
	good := func() (asked int) {
		for n := range 50 {
			if through(t, i, fmt.Sprint("good", n), `{"active":true}`) {
				asked++
			}
		}
		return asked
	}
	good()
	before := heap()
	for n := range 200_000 {
		through(t, i, rand.Text(), answers[n%2])
		if n%2000 == 0 && good() > 0 { // they are in use while the flood goes on
			t.Fatal("good tokens were pushed out")
		}
	}
	after, s := heap(), i.Stats()
	t.Logf("heap %.1f MiB before, %.1f MiB after; %+v", float64(before)/(1<<20), float64(after)/(1<<20), s)
	if s.Active.Entries > 10000 || s.Active.Bytes > 64<<20 || s.Inactive.Entries > 10000 {
		t.Errorf("stats %+v", s)
	}
	if estimate := uint64(s.Active.Bytes + s.Inactive.Bytes); after > before+estimate+16<<20 {
		t.Errorf("heap grew from %d to %d bytes, and %d were estimated", before, after, estimate)
	}
	runtime.KeepAlive(i)
}

func flood(t *testing.T, i *Issuer, tokens, callers int) {
	t.Helper()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range tokens / callers {
				if _, err := i.Introspect(t.Context(), Question{Token: secret.New(rand.Text())}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestAFloodOverSocketsLeavesTheGoodTokenCached(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"active":false}`
		if r.FormValue("token") == testToken {
			body = `{"active":true}`
		}
		saysJSON(body)(w, r)
	})
	i, l := open(t, u.URL, nil)
	introspect(t, i)
	flood(t, i, 4000, 8)
	introspect(t, i)
	if n := u.calls.Load(); n != 4001 {
		t.Errorf("%d calls", n)
	}
	if s := i.Stats(); s.Inactive.Entries != 100 || l.of(&l.evicted, inactiveCache+" room") != 3900 {
		t.Errorf("stats %+v", s)
	}
}
