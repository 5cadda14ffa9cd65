package listen_test

import (
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen"
)

// A shutdown of net/http alone waits five seconds for a connection without a call.
func TestASilentConnectionDoesNotHoldUpTheShutdown(t *testing.T) {
	d := serve(t, loopback(), hello, deps())
	for range 3 {
		conn, err := net.Dial("tcp", d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, _, err := get(t, &http.Transport{}, "http://"+d.Addr().String()); err != nil { // all before it are accepted
		t.Fatal(err)
	}
	begun := time.Now()
	if err := d.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took >= 4*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
}

func TestAListenerThatNeverServedIsClosed(t *testing.T) {
	path, cfg := socket(t)
	d, err := listen.OpenHTTP(cfg, hello, deps())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		t.Error("it is open")
	}
}

func TestACallAfterTheEndOfTheCountIsRefused(t *testing.T) {
	with := deps()
	d := serve(t, loopback(), hello, with)
	with.Calls.Wait(t.Context())
	if body, _, err := get(t, &http.Transport{}, "http://"+d.Addr().String()); err != nil ||
		body != "the sidecar is stopping\n" {
		t.Errorf("answered %q: %v", body, err)
	}
}

func TestTheCountWaitsForCallsUnderWay(t *testing.T) {
	var calls listen.Calls
	if !calls.Begin() {
		t.Fatal("refused")
	}
	waited := make(chan struct{})
	go func() { calls.Wait(t.Context()); close(waited) }()
	for calls.Begin() { // until Wait has begun
		calls.End()
	}
	select {
	case <-waited:
		t.Error("the call was not waited for")
	default:
	}
	calls.End()
	<-waited
	calls.Wait(t.Context())
	if calls.Begin() {
		t.Error("a call began after Wait")
	}
}

func TestTheCountLosesNoCall(t *testing.T) {
	var calls listen.Calls
	var under atomic.Int64
	var begun sync.WaitGroup
	for range 8 {
		begun.Go(func() {
			for calls.Begin() {
				under.Add(1)
				runtime.Gosched()
				under.Add(-1)
				calls.End()
			}
		})
	}
	for range 2 {
		calls.Wait(t.Context())
		if n := under.Load(); n != 0 {
			t.Errorf("%d calls are under way after Wait", n)
		}
	}
	begun.Wait()
}
