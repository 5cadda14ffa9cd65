package app

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestCallsUnderWayAreAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.fault(&devissuer.Fault{Delay: 400 * time.Millisecond})
	var callers sync.WaitGroup
	answers, errs := make([]answer, 20), make([]error, 20)
	for i := range answers {
		tok := w.token(t, good())
		callers.Go(func() { answers[i], errs[i] = w.try(context.Background(), tok) })
	}
	testkit.Eventually(t, "all calls are under way", func() bool { return w.issuer.Calls() == 20 })
	if err := w.stopped(t); err != nil {
		t.Errorf("the stop failed: %v", err)
	}
	callers.Wait()
	logged := w.logged(t)
	for i, a := range answers {
		if errs[i] != nil || !a.Allow {
			t.Errorf("caller %d got %v, %v", i, a, errs[i])
		}
		if logged[a.ID] != "allow" {
			t.Errorf("decision %s was logged as %q", a.ID, logged[a.ID])
		}
	}
	if len(logged) != 20 {
		t.Errorf("%d events of 20 decisions", len(logged))
	}
}

func TestStopUnderLoadLosesNoEvent(t *testing.T) {
	w := start(t, nil)
	tok := w.token(t, good())
	var enough atomic.Int64
	var ids sync.Map
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				a, err := w.try(context.Background(), tok)
				if err != nil {
					return // the door is shut
				}
				ids.Store(a.ID, a.Kind)
				enough.Add(1)
			}
		})
	}
	testkit.Eventually(t, "the load is on", func() bool { return enough.Load() > 200 })
	if err := w.stopped(t); err != nil {
		t.Errorf("the stop failed: %v", err)
	}
	callers.Wait()
	logged, answered := w.logged(t), 0
	ids.Range(func(id, kind any) bool {
		answered++
		if logged[id.(string)] != kind {
			t.Errorf("decision %s was answered %s and logged as %q", id, kind, logged[id.(string)])
		}
		return true
	})
	if len(logged) < answered || answered < 200 {
		t.Errorf("%d events of %d answers", len(logged), answered)
	}
}

// TestIdleStopWaitsForNoConnection: it waits neither for those that are kept alive, nor for those that were opened and
// never used, for which net/http alone waits five seconds. On a machine with other work one stop of three must be
// fast.
func TestIdleStopWaitsForNoConnection(t *testing.T) {
	var took time.Duration
	for range 3 {
		if took = idleStop(t); took < 4*time.Second {
			return
		}
	}
	t.Errorf("each stop took 4 s or more, the last one %s", took)
}

// idleStop is how long the stop of a sidecar takes that has connections and no calls.
func idleStop(t *testing.T) time.Duration {
	t.Helper()
	w := start(t, nil)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() { _, _ = w.try(t.Context(), "") })
	}
	callers.Wait()
	for _, address := range []string{w.api, w.admin} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	w.status(t) // by now the connections before it are accepted
	w.ask(t, "")
	begun := time.Now()
	if err := w.stopped(t); err != nil {
		t.Error(err)
	}
	took := time.Since(begun)
	settled(t)
	return took
}

func TestStopLeavesNothingBehind(t *testing.T) {
	ports := map[string]*testkit.Port{"api": testkit.HoldPort(t), "admin": testkit.HoldPort(t)}
	w := start(t, func(c *config.Config) {
		c.Telemetry.Traces.Endpoint = "http://127.0.0.1:1"
		c.Listen.API.Address, c.Listen.Admin.Address = ports["api"].Addr(), ports["admin"].Addr()
	})
	w.ask(t, w.token(t, good()))
	w.ask(t, "unheard-of")
	w.edit(t, "routes/data.yaml", "orders:read", "orders:inspect")
	testkit.Eventually(t, "the policies are reloaded",
		func() bool { return strings.Contains(w.get(t, "/metrics"), `reloads_total{outcome="ok"} 2`) })
	if err := w.stopped(t); err != nil {
		t.Error(err)
	}
	settled(t)
	for name, port := range ports {
		ln, err := port.Listen()
		if err != nil {
			t.Errorf("listen.%s is still open: %v", name, err)
			continue
		}
		ln.Close()
	}
}

func TestStopGivesUpOnCallsThatTakeTooLong(t *testing.T) {
	w := start(t, func(c *config.Config) { c.ShutdownTimeout = 5 * time.Second })
	tok := w.token(t, good())
	w.ask(t, tok)
	before := w.issuer.Calls()
	w.fault(&devissuer.Fault{Then: devissuer.Hang})
	ended := make(chan error, 1)
	go func() { _, err := w.try(context.Background(), "abc"); ended <- err }()
	testkit.Eventually(t, "the call is under way", func() bool { return w.issuer.Calls() > before })
	w.ask(t, tok)
	if err := w.stopped(t); err == nil || !strings.Contains(err.Error(), "stop listen.api") ||
		strings.Contains(err.Error(), "decision log") {
		t.Errorf("the stop ended with %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("the call was answered")
	}
	kinds := map[string]int{}
	for _, kind := range w.logged(t) {
		kinds[kind]++
	}
	if kinds["allow"] != 2 || kinds["unavailable"] != 1 {
		t.Errorf("the log has %v, want two calls that were answered and one that was given up", kinds)
	}
	settled(t)
}

func TestStatusIsNotReadyBeforeRunAndAfterStop(t *testing.T) {
	cfg := configuration(t, "http://127.0.0.1:1")
	w := &world{cfg: cfg, stdout: &testkit.LogBuffer{}, logger: &testkit.LogBuffer{}}
	a, err := New(t.Context(), cfg, w.deps())
	if err != nil {
		t.Fatal(err)
	}
	if s := a.Status(); s.Ready || s.Because != status.BecauseStarting {
		t.Errorf("before anything serves: ready %t, because %q", s.Ready, s.Because)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
	if s := a.Status(); s.Ready || s.Because != status.BecauseStopping {
		t.Errorf("after the stop: ready %t, because %q", s.Ready, s.Because)
	}
	settled(t)
}

// failing is a door that cannot serve.
type failing struct{ Door }

func (failing) Serve() error { return errors.New("it fails") }

func TestListenerThatFailsEndsTheRun(t *testing.T) {
	cfg := configuration(t, "http://127.0.0.1:1")
	w := &world{cfg: cfg, stdout: &testkit.LogBuffer{}, logger: &testkit.LogBuffer{}}
	a, err := New(t.Context(), cfg, w.deps())
	if err != nil {
		t.Fatal(err)
	}
	a.doors[1].Door = failing{a.doors[1].Door}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "serve listen.admin") {
		t.Errorf("the run ended with %v", err)
	}
	settled(t)
}
