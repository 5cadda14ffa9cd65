package sidecarclient_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/sidecarclient"
)

// script is a server that does what each step says with one call, and then closes the connection when told so.
type script struct {
	ln    net.Listener
	mu    sync.Mutex
	calls int
	// silent are the calls, counted from 1, that are read and not answered: the connection is closed.
	silent map[int]bool
}

func newScript(t *testing.T, silent ...int) *script {
	s := &script{ln: testkit.Listen(t), silent: map[int]bool{}}
	for _, n := range silent {
		s.silent[n] = true
	}
	go func() {
		for {
			c, err := s.ln.Accept()
			if err != nil {
				return // the end of the test
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *script) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.calls++
		silent := s.silent[s.calls]
		s.mu.Unlock()
		if silent {
			return
		}
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			len(allowJSON), allowJSON)
	}
}

func (s *script) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *script) client(t *testing.T) *sidecarclient.Client {
	t.Helper()
	c, err := sidecarclient.New(sidecarclient.Config{Address: "http://" + s.ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAKeptConnectionThatClosesWithoutAnAnswerIsReplacedOnce(t *testing.T) {
	s := newScript(t, 2)
	c := s.client(t)
	for range 2 {
		if d, err := c.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/"}); err != nil || !d.Allow {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	if got := s.seen(); got != 3 {
		t.Errorf("%d calls, want 3: the second was made again", got)
	}
}

func TestANewConnectionThatClosesWithoutAnAnswerIsNoDecision(t *testing.T) {
	s := newScript(t, 1, 2, 3)
	_, err := s.client(t).Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/"})
	var down *sidecarclient.UnavailableError
	if !errors.As(err, &down) || s.seen() != 1 {
		t.Errorf("%v after %d calls, want an UnavailableError after 1", err, s.seen())
	}
}

func TestARetryIsMadeOnceAndOnANewConnection(t *testing.T) {
	s := newScript(t, 2, 3, 4)
	c := s.client(t)
	if _, err := c.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/"}); err != nil {
		t.Fatal(err)
	}
	if d, err := c.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/"}); err == nil || s.seen() != 3 {
		t.Errorf("%+v, %v after %d calls, want an error after 3", d, err, s.seen())
	}
}
