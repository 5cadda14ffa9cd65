package app

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// failsLater is a door that serves until it is told to fail.
type failsLater struct {
	Door
	fail chan error
}

func (d *failsLater) Serve() error { return <-d.fail }

// TestCallsAreTakenDuringTheShutdownDelay: the probe says that the sidecar stops, so that balancers send new calls
// elsewhere, and those that come are decided. A listener that fails ends the delay.
func TestCallsAreTakenDuringTheShutdownDelay(t *testing.T) {
	later := &failsLater{fail: make(chan error, 1)}
	w := &world{issuer: authserver.Start(t, knowsTheSidecar())}
	w.built = func(a *App) {
		later.Door = a.doors[1].Door
		a.doors[1].Door = later
	}
	w.cfg = configuration(t, w.issuer.Issuer())
	w.cfg.ShutdownDelay = 10 * time.Minute
	w.run(t)
	w.ask(t, "")

	ended := make(chan error, 1)
	go func() { ended <- w.stopped(t) }()
	probe := func() (int, string) {
		status, body, err := w.exchange(t.Context(), "GET", w.api+"/readyz", "")
		if err != nil {
			t.Error(err)
		}
		return status, body
	}
	testkit.Eventually(t, "the probe says that the sidecar stops", func() bool {
		status, body := probe()
		return status == http.StatusServiceUnavailable && strings.Contains(body, `"stopping"`)
	})
	if got := w.ask(t, w.token(t, good())); !got.Allow {
		t.Errorf("a call during the delay is %v", got)
	}
	later.fail <- errors.New("it fails")
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "serve listen.admin: it fails") {
		t.Errorf("the run ended with %v", err)
	}
	if !w.logger.Has("stopping soon") {
		t.Error("the log has no line about the delay")
	}
}

func TestAShutdownDelayEnds(t *testing.T) {
	w := start(t, func(c *config.Config) { c.ShutdownDelay = time.Millisecond })
	w.ask(t, "")
	if err := w.stopped(t); err != nil {
		t.Errorf("the stop failed: %v", err)
	}
}
