package httpclient_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpclient"
)

// eager are pings that find a dead connection out soon, and that a live one answers on a busy machine too.
var eager = httpclient.Pings{After: 50 * time.Millisecond, Within: time.Second}

// never are pings that find nothing out while a test runs.
var never = httpclient.Pings{After: time.Hour, Within: time.Hour}

// overHTTP2 is a client with a live HTTP/2 connection to the server at a URL, which goes over a relay.
func overHTTP2(t *testing.T) (r *relay, c *httpclient.Client, to string) {
	t.Helper()
	u, roots := serveTLS(t, true, says)
	r = newRelay(t, u.Listener.Addr().String())
	to = "https://" + r.Addr().String()
	c = open(t, httpclient.Config{Roots: roots, Pings: eager})
	answers(t, c, to, "HTTP/2.0")
	return r, c, to
}

func TestARequestOverADeadHTTP2ConnectionIsAnsweredOverAFreshOne(t *testing.T) {
	t.Parallel()
	r, c, to := overHTTP2(t)
	for range 2 {
		before := r.connections.Load()
		r.swallow()
		answers(t, c, to, "HTTP/2.0")
		if r.connections.Load() == before {
			t.Error("answered over a dead connection")
		}
	}
}

func TestManyRequestsOverADeadHTTP2ConnectionAreAllAnswered(t *testing.T) {
	t.Parallel()
	r, c, to := overHTTP2(t)
	r.swallow()
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() { answers(t, c, to, "HTTP/2.0") })
	}
	all.Wait()
}

func TestAConnectionIsGivenUpAfterATimeoutInWhichNothingCame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		http2 bool
		proto string
	}{"HTTP/2": {true, "HTTP/2.0"}, "HTTP/1.1": {false, "HTTP/1.1"}} {
		t.Run(name, func(t *testing.T) {
			u, roots := serveTLS(t, c.http2, says)
			r := newRelay(t, u.Listener.Addr().String())
			to := "https://" + r.Addr().String()
			hc := open(t, httpclient.Config{Roots: roots, Pings: never})
			answers(t, hc, to, c.proto)
			r.swallow()
			if _, err := send(t, hc, time.Second, http.MethodGet, to); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("over the dead connection: %v", err)
			}
			answers(t, hc, to, c.proto)
		})
	}
}

// Every idle connection to a server is dead at once when its balancer fails over. One timeout finds that out for all
// of them.
func TestOneTimeoutIsEnoughForAllIdleConnections(t *testing.T) {
	t.Parallel()
	together := make(chan struct{})
	var arrived sync.WaitGroup
	const many = 8
	arrived.Add(many)
	u, roots := serveTLS(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/together" {
			arrived.Done()
			<-together
		}
		says(w, r)
	})
	r := newRelay(t, u.Listener.Addr().String())
	to := "https://" + r.Addr().String()
	c := open(t, httpclient.Config{Roots: roots})
	var all sync.WaitGroup
	for range many {
		all.Go(func() { answers(t, c, to+"/together", "HTTP/1.1") })
	}
	arrived.Wait()
	close(together)
	all.Wait()
	r.swallow()
	if _, err := send(t, c, time.Second, http.MethodGet, to); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("over a dead connection: %v", err)
	}
	answers(t, c, to, "HTTP/1.1")
}

func TestASlowAnswerCostsNoConnection(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{true, false} {
		end := make(chan struct{})
		u, roots := serveTLS(t, http2, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush() // it lives, and takes its time
				<-end
			}
			says(w, r)
		})
		t.Cleanup(func() { close(end) })
		r := newRelay(t, u.Listener.Addr().String())
		to := "https://" + r.Addr().String()
		c := open(t, httpclient.Config{Roots: roots, Pings: never})
		answers(t, c, to, map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[http2])
		if _, err := send(t, c, 2*time.Second, http.MethodGet, to+"/slow"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the slow one: %v", err)
		}
		before := r.connections.Load()
		answers(t, c, to, map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[http2])
		if http2 && r.connections.Load() != before {
			t.Error("a live connection was given up")
		}
	}
}

func TestARequestThatMustNotBeRepeatedIsSentOnce(t *testing.T) {
	t.Parallel()
	r, c, to := overHTTP2(t)
	r.swallow()
	if _, err := send(t, c, time.Minute, http.MethodPost, to); err == nil {
		t.Error("a POST over a dead connection was repeated")
	}
	a, err := send(t, c, time.Minute, http.MethodPost, to)
	if err != nil || string(a.Body) != "HTTP/2.0" {
		t.Errorf("the next one: %q, %v", a.Body, err)
	}
}

func TestARequestThatSaysSoIsRepeatedWithItsBody(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var bodies []string
	u, roots := serveTLS(t, true, func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 64)
		n, _ := r.Body.Read(b)
		mu.Lock()
		bodies = append(bodies, string(b[:n]))
		mu.Unlock()
		says(w, r)
	})
	r := newRelay(t, u.Listener.Addr().String())
	to := "https://" + r.Addr().String()
	c := open(t, httpclient.Config{Roots: roots, Pings: eager})
	for n := range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader("token=x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Idempotency-Key"] = nil
		if a, err := c.Do(req, 1<<20); err != nil || string(a.Body) != "HTTP/2.0" {
			t.Errorf("%d: %q, %v", n, a.Body, err)
		}
		r.swallow()
	}
	mu.Lock()
	defer mu.Unlock()
	if len(bodies) != 2 || bodies[1] != "token=x" {
		t.Errorf("bodies %q", bodies)
	}
}

func TestAnAnswerIsBoundedAfterDecompressionAndNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	u, roots := serveTLS(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		_, _ = w.Write(make([]byte, 2<<20))
	})
	c := open(t, httpclient.Config{Roots: roots})
	if a, err := get(t, c, u.URL); err != nil || !a.Over || len(a.Body) != 1<<20 || !a.Encrypted {
		t.Errorf("%d bytes, over %t, %v", len(a.Body), a.Over, err)
	}
	if a, err := get(t, c, u.URL+"/elsewhere"); err != nil || a.Status != http.StatusFound {
		t.Errorf("status %d, %v", a.Status, err)
	}
}
