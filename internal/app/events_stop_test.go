package app

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestStopPollsNoMoreOnceItsConnectionsAreClosed(t *testing.T) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	polled := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"sets":{}}`)
	}))
	polled.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if open[c] = true; state == http.StateClosed {
			delete(open, c)
		}
	}
	polled.Start()
	defer polled.Close()
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client is gone
		<-r.Context().Done()
	}))
	defer collector.Close()
	defer collector.CloseClientConnections()
	tr := newTransmitter(t, func() string { return "" })
	w := start(t, func(c *config.Config) {
		receivedFrom(t, tr, "poll", c)
		c.Events[0].SharedSignals.PollURL = polled.URL + "/poll"
		c.Telemetry.Traces.Endpoint, c.ShutdownTimeout = collector.URL, time.Second
	})
	w.streamIsUp(t)
	w.ask(t, w.token(t, good()))
	// The collector of traces never answers, which takes all the time there is: on a busy machine more.
	if err := w.stopped(t); err != nil && !strings.Contains(err.Error(), "stop traces") &&
		!strings.Contains(err.Error(), "stop: not done in time") {
		t.Error(err)
	}
	testkit.Eventually(t, "no connection is left", func() bool { mu.Lock(); defer mu.Unlock(); return len(open) == 0 })
}
