//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// extra measures what is no throughput.
func (r *report) extra(t *testing.T, program string, w *world) {
	t.Helper()
	r.first = firstDecision(t, program, w, r.effort.rounds)
	r.memory = cachedTokens(t, program, w)
	r.reload = reloads(t, program, w, r.effort.rounds)
	r.loaded = underReload(t, program, w, r.effort)
	r.cold = coldTokens(t, program, w, r.effort.rounds)
	r.replayed = replays(t, program, w, r.effort.rounds)
}

// reloading is p99 at a rate, before and while policies are loaded again and again.
type reloading struct {
	rate           float64
	reloads        int
	before, during time.Duration
}

// reloadEvery is the time between two edits under load; reloadRate is low enough for a machine with other work.
const (
	reloadEvery = 500 * time.Millisecond
	reloadRate  = 2_000
)

// underReload asks evenly, and then edits the policies while it goes on asking. Any answer that is not an allow ends
// the run: the policies allow before and after each edit.
func underReload(t *testing.T, program string, w *world, e effort) reloading {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.shipped.dir)); err != nil {
		t.Fatal(err)
	}
	edit := func(n int) { testkit.WriteFile(t, filepath.Join(dir, "generated.rego"), string(module(n, 10))) }
	edit(0)
	s := startSidecar(t, program, w, setup{policy: policy{"edited policies", dir}})
	s.connect(t)
	out := reloading{rate: reloadRate}
	ask := func() time.Duration {
		seen, err := open(s.many, e.each, reloadRate)
		if err != nil {
			t.Fatal(err)
		}
		return seen.quantile(0.99)
	}
	ask()
	var before, during []time.Duration
	for range e.rounds {
		before = append(before, ask())
		stop, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			tick := time.NewTicker(reloadEvery)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					out.reloads++
					edit(out.reloads)
				}
			}
		}()
		during = append(during, ask())
		close(stop)
		<-ended
	}
	if out.reloads == 0 {
		t.Fatal("nothing was reloaded: BENCH_SECONDS is too short")
	}
	out.before, out.during = time.Duration(median(before, func(d time.Duration) float64 { return float64(d) })),
		time.Duration(median(during, func(d time.Duration) float64 { return float64(d) }))
	s.proc.stop()
	return out
}

// crowd is what became of many callers with one token that is not cached.
type crowd struct {
	questions int
	slowest   time.Duration
}

// callers is how many there are at once, and late how late the issuer answers.
const (
	callers = 500
	late    = 300 * time.Millisecond
)

func coldTokens(t *testing.T, program string, w *world, rounds int) []crowd {
	t.Helper()
	s := startSidecar(t, program, w, setup{policy: w.small})
	await(t, s.proc, s.dial)
	authserver.FailIntrospection(w.issuer, &devissuer.Fault{Delay: late})
	defer authserver.FailIntrospection(w.issuer, nil)
	all, err := s.dial(callers)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(all)
	if err := each(all, func(c caller) error { return c.check() }); err != nil { // the connections are warm
		t.Fatal(err)
	}
	var out []crowd
	for range rounds {
		ask := request("/v1/decisions", question(t, w.issue(t, nil)))
		for _, c := range all {
			c.(*conn).request = ask
		}
		before := w.issuer.Calls()
		begun := time.Now()
		if err := each(all, func(c caller) error { return c.check() }); err != nil {
			t.Fatal(err)
		}
		out = append(out, crowd{slowest: time.Since(begun), questions: w.issuer.Calls() - before})
	}
	s.proc.stop()
	return out
}

// each lets all callers do something at once, and returns one of their errors.
func each(all []caller, do func(c caller) error) error {
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, c := range all {
		running.Go(func() { errs[i] = do(c) })
	}
	running.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

// replayTokens and replayOrders make the log that is replayed; replayDecisions is its length.
const (
	replayTokens    = 500
	replayOrders    = 2_000
	replayDecisions = 100_000
)

// replays has a sidecar decide and log, and then times "sidecar replay" of that log.
func replays(t *testing.T, program string, w *world, rounds int) []float64 {
	t.Helper()
	s := startSidecar(t, program, w, setup{policy: w.shipped})
	s.connect(t)
	if err := os.Truncate(s.log, 0); err != nil {
		t.Fatal(err)
	}
	calls := make([]string, replayTokens)
	for i := range calls {
		calls[i] = string(question(t, w.issue(t, map[string]any{"sub": fmt.Sprintf("user-%d", i)})))
	}
	share := replayDecisions / len(s.many)
	err := each(s.many, func(c caller) error {
		on := c.(*conn)
		for i := range share {
			order := fmt.Sprintf("/orders/%d", i%replayOrders)
			body := strings.Replace(calls[(i*7)%len(calls)], "/orders/42", order, 1)
			on.request = request("/v1/decisions", []byte(body))
			if err := on.check(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.proc.stop() // which ends the log
	var out []float64
	for range rounds {
		cmd := exec.Command(program, "replay", "--config", s.file)
		begun := time.Now()
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("replay: %v\n%s", err, said)
		}
		out = append(out, float64(share*len(s.many))/time.Since(begun).Seconds())
	}
	return out
}
