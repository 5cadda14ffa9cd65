package follow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/summary"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// gated is an Output that writes a line only once it is let.
type gated struct {
	let     chan struct{}
	written []string
	leftOut uint64
}

func (g *gated) Write(d summary.Decision) {
	<-g.let
	g.written = append(g.written, d.DecisionID)
}
func (g *gated) LeftOut(n uint64) { g.leftOut += n }

func ExampleText() {
	text := Text(os.Stdout)
	text.LeftOut(3)
	text.Write(summary.Decision{DecisionID: "01M8", Kind: authz.Allow, Status: 200, Method: "GET", Path: "/"})
	// Output:
	// (3 decisions have no line: there were too many at once)
	// 200 allow  GET /  01M8
}

func observed(i int) decision.Observed {
	return decision.Observed{Decision: authz.Decision{ID: fmt.Sprint(i), Kind: authz.Malformed},
		Record: &decisionlog.Record{}}
}

func TestLinesKeepTheOrderAndEachDecisionIsAccountedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gated{let: make(chan struct{})}
		f := Start(out)
		const all = 3 * waiting
		for i := range all {
			f.Observe(observed(i)) // never waits, though nothing is written
		}
		close(out.let)
		synctest.Wait()
		f.Observe(observed(all)) // says how many were left out
		if err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(out.written)+int(out.leftOut) != all+1 || len(out.written) < waiting {
			t.Errorf("%d written, %d left out of %d", len(out.written), out.leftOut, all+1)
		}
		for i, id := range out.written[:waiting] {
			if id != fmt.Sprint(i) {
				t.Fatalf("line %d is of decision %s", i, id)
			}
		}
	})
}

func TestWhatWaitsIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gated{let: make(chan struct{})}
		f := Start(out)
		large := observed(1)
		body := strings.Repeat("x", 1<<20)
		large.Document = &input.Document{Request: input.Request{Body: &body}}
		for range waiting / 2 {
			f.Observe(large)
		}
		if n := len(f.queue); n < 16 || n > 32 {
			t.Errorf("%d decisions of 1 MiB wait", n)
		}
		close(out.let)
		synctest.Wait()
		f.Observe(observed(2)) // there is room again
		if err := f.Close(t.Context()); err != nil || f.bytes.Load() != 0 {
			t.Errorf("%v, %d bytes", err, f.bytes.Load())
		}
		if last := out.written[len(out.written)-1]; last != "2" || len(out.written)+int(out.leftOut) != waiting/2+1 {
			t.Errorf("the last line is of decision %s, %d written, %d left out", last, len(out.written), out.leftOut)
		}
	})
}

func TestRulesAreNotLookedForAMinuteAfterOneThatWasNotFoundInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looked, slow := 0, false
		out := &gated{let: make(chan struct{})}
		close(out.let)
		f := start(out, func(ctx context.Context, _ decision.Observed) string {
			if looked++; slow {
				<-ctx.Done()
			}
			return ""
		})
		for _, step := range []struct {
			slow   bool
			later  time.Duration
			looked int
		}{{false, 0, 1}, {false, 0, 2}, {true, 0, 3}, {true, restAfter / 2, 3}, {false, restAfter, 4}, {false, 0, 5}} {
			slow = step.slow
			time.Sleep(step.later)
			f.Observe(observed(1))
			time.Sleep(2 * explainWithin)
			synctest.Wait()
			if looked != step.looked {
				t.Errorf("%+v: looked %d times", step, looked)
			}
		}
		if err := f.Close(t.Context()); err != nil || len(out.written) != 6 {
			t.Errorf("%v, %d lines", err, len(out.written))
		}
	})
}

func TestCloseDoesNotWaitForAnOutputThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gated{let: make(chan struct{})}
		f := Start(out)
		f.Observe(observed(1))
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Close(over); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		close(out.let)
	})
}
