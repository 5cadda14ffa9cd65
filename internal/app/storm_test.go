package app

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// stormFiles are a bundle whose answer names its revision: in a rule and in data.
func stormFiles(revision, rest string) map[string]string {
	return map[string]string{
		".manifest":      `{"revision": "` + revision + `", "roots": ["shop"]}`,
		"shop/data.json": `{"data_of": "` + revision + `"}`,
		"shop/shop.rego": `package shop

# METADATA
# entrypoint: true
decision := {"allow": true, "context": {"data": data.shop.data_of, "rule": "` + revision + `"}}
` + rest,
	}
}

// stormPause is the time between two updates.
const stormPause = 100 * time.Millisecond

// stormUpdates is how many updates there are: 60, or as many as asked.
func stormUpdates() int {
	if n, err := strconv.Atoi(os.Getenv("SIDECAR_STORM_UPDATES")); err == nil {
		return n - n%3
	}
	return 60
}

// TestReloadStorm: of many updates under load, a third is broken and a third is badly signed. No decision fails, each
// is that of one good version, and memory and goroutines return to where they were.
func TestReloadStorm(t *testing.T) {
	how, public := release(t)
	srv := bundleserver.Start(t)
	signed := func(i int, rest string) []byte { return signedOf(t, how, stormFiles(strconv.Itoa(1000+i), rest)) }
	srv.Serve(signed(0, ""))
	// No log: the one of tests keeps a line a decision, and would be the memory that does not return.
	w := &world{given: func(d *Deps) { d.Log = slog.New(slog.DiscardHandler) }}
	w.start(t, func(c *config.Config) {
		c.Policies.Sources = []source.Config{verified(srv.URL, public)}
		c.Policies.Debounce = 5 * time.Millisecond
		g := &c.Policies.Gate.Replay
		g.Mode, g.Last, g.MinDecisions = gate.Warn, 200, 10
	})
	tok := w.token(t, good())
	var asked atomic.Int64
	seen := sync.Map{}
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if problem := w.oneVersion(t, tok, &seen); problem != "" {
					t.Error(problem)
					return
				}
				asked.Add(1)
			}
		})
	}
	testkit.Eventually(t, "the load is on", func() bool { return asked.Load() > 200 })
	memory, goroutines := testkit.Heap(), runtime.NumGoroutine()
	updates := stormUpdates()
	tick := time.NewTicker(stormPause)
	defer tick.Stop()
	for i := 1; i <= updates; i++ {
		<-tick.C
		switch i % 3 {
		case 0:
			srv.Serve(signed(i, ""))
		case 1:
			srv.Serve(signed(i, "\nbroken := undefined_function(1)\n"))
		default:
			srv.Serve(bundleserver.Packed(t, stormFiles(strconv.Itoa(1000+i), "")))
		}
		if i%15 == 0 { // a good one, which is let through however busy the machine is
			now := strconv.Itoa(1000 + i)
			testkit.Eventually(t, "a good version decides", func() bool { return w.revision(t, "shop") == now })
		}
	}
	last := strconv.Itoa(1000 + updates)
	testkit.Eventually(t, "the last good version decides", func() bool { return w.revision(t, "shop") == last })
	close(stop)
	load.Wait()
	versions := 0
	seen.Range(func(any, any) bool { versions++; return true })
	testkit.Eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines+8 })
	testkit.Eventually(t, "memory returns", func() bool { return testkit.Heap() < memory+8<<20 })
	t.Logf("%d decisions by %d versions; memory %d KiB before, %d KiB after", asked.Load(), versions, memory>>10,
		testkit.Heap()>>10)
	if versions < 3 {
		t.Error("no update decided while the storm went on")
	}
}

// oneVersion makes one decision, and says what is wrong with it.
func (w *world) oneVersion(t *testing.T, tok string, seen *sync.Map) string {
	said, err := w.send(t.Context(), http.MethodPost, w.api+"/v1/decisions/shop/decision", call(tok))
	if err != nil {
		return err.Error()
	}
	var d struct {
		Allow   bool
		Context struct{ Data, Rule string }
		Policy  struct {
			Bundles map[string]struct{ Revision string }
		}
	}
	if err := json.Unmarshal([]byte(said), &d); err != nil {
		return fmt.Sprintf("%v: %s", err, said)
	}
	by := d.Policy.Bundles["shop"].Revision
	n, _ := strconv.Atoi(by)
	if !d.Allow || by == "" || d.Context.Data != by || d.Context.Rule != by || (n-1000)%3 != 0 {
		return "mixed, refused or by a bad version: " + said
	}
	seen.Store(by, true)
	return ""
}
