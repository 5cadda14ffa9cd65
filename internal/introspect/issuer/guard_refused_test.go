package issuer

import (
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/guard"
)

// errRefused is what a dialler says of a port at which nothing listens.
var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// port is a server that is up or down, and counts what it is asked.
type port struct {
	mu                    sync.Mutex
	up                    bool
	late                  time.Duration // of its answers
	calls, inFlight, most int
}

func (p *port) answer(*http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.calls++
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	up, late := p.up, p.late
	p.mu.Unlock()
	defer func() { p.mu.Lock(); p.inFlight--; p.mu.Unlock() }()
	if !up {
		return nil, errRefused
	}
	time.Sleep(late)
	return replies(200, `{"active":true}`)
}

// become changes the server, and returns the calls since the last time.
func (p *port) become(up bool, late time.Duration) (calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls = p.calls
	p.up, p.late, p.calls, p.most = up, late, 0, 0
	return calls
}

func (p *port) since() (calls, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls, p.most
}

// TestARefusedConnectionIsRefusedAtOnce: the callers that find out that nothing listens wait for one short pause, and
// those after them for none.
func TestARefusedConnectionIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &port{}
		i, _ := guarded(t, nil, p.answer)
		begun := time.Now()
		var callers sync.WaitGroup
		for n := range 40 {
			callers.Go(func() {
				if _, e := put(t, i, n); e == nil || e.Kind != authz.Unavailable || !introspect.ServerFailed(e) {
					t.Errorf("error %v", e)
				}
			})
		}
		callers.Wait()
		if took := time.Since(begun); took > 5*time.Millisecond {
			t.Errorf("the slowest of 40 took %v", took)
		}
		if calls, _ := p.since(); calls > 42 || i.Breaker() == guard.Closed {
			t.Errorf("40 callers made %d connections, breaker %v", calls, i.Breaker())
		}
		begun = time.Now()
		for n := range 10 {
			if _, e := put(t, i, 100+n); e == nil || e.RetryAfter <= 0 {
				t.Errorf("error %v", e)
			}
		}
		if took := time.Since(begun); took > 5*time.Millisecond {
			t.Errorf("ten more took %v", took)
		}
	})
}

// TestAServerThatRefusedIsFoundOutAtOnce: any number of callers make one connection in 2 ms at most while nothing
// listens. The first caller after the return is answered by one question, and few questions are in flight after it.
func TestAServerThatRefusedIsFoundOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &port{}
		i, _ := guarded(t, nil, p.answer)
		var callers sync.WaitGroup
		load := func(d time.Duration) { // 40 callers each millisecond
			asked := 0
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
				for range 40 {
					asked++
					n := asked
					callers.Go(func() { put(t, i, n) })
				}
				synctest.Wait()
			}
			callers.Wait()
		}
		load(10 * time.Millisecond)
		p.become(false, 0)
		const down = time.Second
		load(down)
		if calls, most := p.since(); calls > int(down/(2*time.Millisecond))+1 || most > 1 {
			t.Errorf("%d connections in %v, %d at once", calls, down, most)
		}
		time.Sleep(2 * time.Millisecond)
		p.become(true, 0)
		if _, e := put(t, i, 1_000_000); e != nil || i.Breaker() != guard.Closed {
			t.Fatalf("the first caller after the return: %v, breaker %v", e, i.Breaker())
		}
		if calls := p.become(true, 100*time.Millisecond); calls != 1 {
			t.Errorf("it took %d questions", calls)
		}
		for n := range 200 {
			callers.Go(func() { put(t, i, 2_000_000+n) })
		}
		callers.Wait()
		if _, most := p.since(); most > 10 {
			t.Errorf("200 callers at once put %d questions at once", most)
		}
	})
}

// TestAServerThatIsBackAndHangsIsProbedSlowly: a probe that gets a connection and no answer is followed by the next
// after breaker_delay, as if no connection had been refused.
func TestAServerThatIsBackAndHangsIsProbedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &port{}
		i, _ := guarded(t, func(c *Config) { c.Protection.BreakerFailures = 1 }, p.answer)
		put(t, i, 0)
		time.Sleep(2 * time.Millisecond)
		p.become(true, time.Hour)
		var callers sync.WaitGroup
		for n := range 500 {
			callers.Go(func() { put(t, i, 1+n) })
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
		}
		if calls, _ := p.since(); calls > 5 {
			t.Errorf("%d questions in a second", calls)
		}
	})
}
