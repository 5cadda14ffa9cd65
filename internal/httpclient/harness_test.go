package httpclient_test

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpclient"
)

// relay passes connections on to a server. Those that are open can be made to swallow everything, as a firewall does
// that has forgotten them; new ones work.
type relay struct {
	net.Listener
	connections atomic.Int64

	mu   sync.Mutex
	dead []*atomic.Bool
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l}
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { _ = l.Close() })
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.connections.Add(1)
			up, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			t.Cleanup(func() { _, _ = c.Close(), up.Close() })
			dead := &atomic.Bool{}
			r.mu.Lock()
			r.dead = append(r.dead, dead)
			r.mu.Unlock()
			running.Go(func() { pass(up, c, dead) })
			running.Go(func() { pass(c, up, dead) })
		}
	})
	return r
}

func pass(to io.WriteCloser, from io.Reader, dead *atomic.Bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !dead.Load() {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			if !dead.Load() {
				_ = to.Close()
			}
			return
		}
	}
}

// swallow makes the connections that are open now dead.
func (r *relay) swallow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.dead {
		d.Store(true)
	}
}

// serveTLS is a server of HTTP/2, or of HTTP/1.1 only.
func serveTLS(t *testing.T, http2 bool, h http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	u := httptest.NewUnstartedServer(h)
	u.EnableHTTP2 = http2
	u.Config.ErrorLog = log.New(io.Discard, "", 0)
	u.StartTLS()
	t.Cleanup(u.Close)
	roots := x509.NewCertPool()
	roots.AddCert(u.Certificate())
	return u, roots
}

// says answers with the protocol of the request.
func says(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, r.Proto)
}

func open(t *testing.T, cfg httpclient.Config) *httpclient.Client {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyURL(nil)
	}
	c := httpclient.New(cfg)
	t.Cleanup(c.CloseIdle)
	return c
}

// get asks with a limit that a busy machine does not reach.
func get(t *testing.T, c *httpclient.Client, from string) (httpclient.Answer, error) {
	t.Helper()
	return send(t, c, time.Minute, http.MethodGet, from)
}

func send(t *testing.T, c *httpclient.Client, limit time.Duration, method, to string) (httpclient.Answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("token=x")
	}
	req, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(req, 1<<20)
}

func answers(t *testing.T, c *httpclient.Client, from, want string) {
	t.Helper()
	a, err := get(t, c, from)
	if err != nil || a.Status != 200 || string(a.Body) != want {
		t.Errorf("status %d, %q, %v, want %q", a.Status, a.Body, err, want)
	}
}
