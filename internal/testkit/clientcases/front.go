package clientcases

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// front is what applications take for the sidecar. It hands calls on to the real one, unless a case makes it answer
// itself, and remembers what it was asked.
type front struct {
	port  *testkit.Port
	proxy http.Handler

	mu        sync.Mutex
	server    *http.Server // nil while nothing listens
	instead   http.Handler // answers in place of the sidecar; nil: the sidecar does
	idle      map[net.Conn]bool
	opened    int      // connections
	questions [][]byte // bodies of calls, in order
}

func newFront(t *testing.T, sidecar string) *front {
	t.Helper()
	u, err := url.Parse(sidecar)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
	f := &front{port: testkit.HoldPort(t), proxy: proxy, idle: map[net.Conn]bool{}}
	f.listen(t)
	t.Cleanup(f.close)
	return f
}

func (f *front) url() string { return "http://" + f.port.Addr() }

func (f *front) listen(t *testing.T) {
	t.Helper()
	ln, err := f.port.Listen()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f, ConnState: f.follow}
	f.mu.Lock()
	f.server = server
	f.mu.Unlock()
	go func() { _ = server.Serve(ln) }() // until close
}

// close makes the port refuse connections, and cuts those that there are.
func (f *front) close() {
	f.mu.Lock()
	server := f.server
	f.server = nil
	f.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

func (f *front) follow(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.idle, c)
	switch state {
	case http.StateNew:
		f.opened++
	case http.StateIdle:
		f.idle[c] = true
	}
}

// closeIdle closes the connections that wait for a call.
func (f *front) closeIdle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.idle {
		_ = c.Close()
	}
}

// waiting is how many connections wait for a call.
func (f *front) waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.idle)
}

// connections is how many were opened so far.
func (f *front) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened
}

// answer makes h answer calls in place of the sidecar, until pass.
func (f *front) answer(h http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = h
}

// pass hands calls to the sidecar again, and listens again.
func (f *front) pass(t *testing.T) {
	t.Helper()
	f.answer(nil)
	f.mu.Lock()
	open := f.server != nil
	f.mu.Unlock()
	if !open {
		f.listen(t)
	}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the application gave up
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	f.questions = append(f.questions, body)
	handler := f.instead
	f.mu.Unlock()
	if handler == nil {
		handler = f.proxy
	}
	handler.ServeHTTP(w, r)
}

// question is the call that an application made about a request.
type question struct {
	Request struct {
		Method   string              `json:"method"`
		URL      string              `json:"url"`
		Headers  map[string][]string `json:"headers"`
		SourceIP string              `json:"source_ip"`
	} `json:"request"`
}

// since returns the calls from the nth on.
func (f *front) since(t *testing.T, n int) []question {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []question
	for _, body := range f.questions[n:] {
		var q question
		if err := json.Unmarshal(body, &q); err != nil {
			t.Fatalf("the sidecar was asked %q: %v", body, err)
		}
		out = append(out, q)
	}
	return out
}

// calls is how many calls came so far.
func (f *front) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.questions)
}
