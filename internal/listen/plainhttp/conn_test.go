package plainhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/listen/plainhttp"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// client is the end of a connection that calls.
type client struct {
	net.Conn
	from *bufio.Reader
}

func dial(t testing.TB, d *listen.HTTP) *client {
	t.Helper()
	c, err := net.Dial(d.Addr().Network(), d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &client{c, bufio.NewReader(c)}
}

func (c *client) send(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answer reads the next answer, and fails when it has another body.
func (c *client) answer(t testing.TB, want string) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(c.from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
		t.Fatalf("answered %q, %v, want %q", got, err, want)
	}
	return resp
}

// ended fails unless the server has closed the connection.
func (c *client) ended(t testing.TB) {
	t.Helper()
	if b, err := c.from.ReadByte(); !errors.Is(err, io.EOF) {
		t.Fatalf("the connection goes on: %q, %v", b, err)
	}
}

// post is a plain request.
func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// mirror answers with the body of a call, or with why it has none.
var mirror = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		text = append(text, " "+err.Error()...)
	}
	_, _ = w.Write(text)
})

func TestACallThatWaitsEndsWithItsConnection(t *testing.T) {
	over := make(chan error)
	d := open(t, limits, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		over <- r.Context().Err()
	}))
	c := dial(t, d)
	c.send(t, post("/a", "b"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// waiting is a handler whose calls wait until it is told to answer.
type waiting struct{ begun, goOn chan struct{} }

func newWaiting() waiting { return waiting{make(chan struct{}), make(chan struct{})} }

func (h waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, stop := context.WithTimeout(r.Context(), time.Minute) // as doors do: it asks for Done
	defer stop()
	h.begun <- struct{}{}
	select {
	case <-h.goOn:
		mirror(w, r)
	case <-ctx.Done():
		panic("the call was cancelled")
	}
}

func TestWhatComesWhileACallWaitsIsTheNextCall(t *testing.T) {
	h := newWaiting()
	c := dial(t, open(t, limits, h))
	c.send(t, post("/a", "first"))
	<-h.begun
	second := post("/a", "second")
	c.send(t, second[:20])
	h.goOn <- struct{}{}
	c.answer(t, "first")
	c.send(t, second[20:]+post("/a", "third"))
	for _, body := range []string{"second", "third"} {
		<-h.begun
		h.goOn <- struct{}{}
		c.answer(t, body)
	}
}

func TestAServerThatStopsEndsItsConnections(t *testing.T) {
	h := newWaiting()
	d := open(t, limits, h)
	idle, silent, late, busy := dial(t, d), dial(t, d), dial(t, d), dial(t, d)
	idle.send(t, post("/a", "1"))
	<-h.begun
	h.goOn <- struct{}{}
	idle.answer(t, "1")
	busy.send(t, post("/a", "2"))
	<-h.begun
	stopped := make(chan error)
	go func() { stopped <- d.Shutdown(t.Context()) }()
	idle.ended(t)
	late.send(t, post("/a", "3")) // a connection without a call may begin one for a while
	<-h.begun
	silent.ended(t)
	h.goOn <- struct{}{}
	h.goOn <- struct{}{}
	for _, c := range []*client{late, busy} {
		resp, err := http.ReadResponse(c.from, nil)
		if err != nil || !resp.Close {
			t.Fatalf("answered %v, %v; want Connection: close", resp, err)
		}
		resp.Body.Close()
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestACallUnderWayIsCutWhenTheTimeToStopIsOver(t *testing.T) {
	begun, over := make(chan struct{}), make(chan struct{})
	d := open(t, limits, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(over)
	}))
	c := dial(t, d)
	c.send(t, post("/a", "b"))
	<-begun
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := d.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped with %v", err)
	}
	c.ended(t)
	<-over
}

func TestACallThatDoesNotArriveInTime(t *testing.T) {
	slow := limits
	slow.ReadTimeout = 100 * time.Millisecond
	d := open(t, slow, mirror)
	for name, sent := range map[string]string{"head": "POST / HT", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, d)
			c.send(t, sent)
			c.ended(t)
		})
	}
	t.Run("body", func(t *testing.T) {
		c := dial(t, d)
		c.send(t, strings.TrimSuffix(post("/", "body"), "dy"))
		c.answer(t, fmt.Sprintf("bo read tcp %s->%s: %v", c.RemoteAddr(), c.LocalAddr(), os.ErrDeadlineExceeded))
		c.ended(t)
	})
}

// net/http answers before the end of such a head, or ends it otherwise. Its search for the preface of HTTP/2 takes 14
// bytes.
func TestAHeadThatCannotBecomePlainIsNotWaitedFor(t *testing.T) {
	d := open(t, limits, mirror)
	for name, head := range map[string]string{
		"lines end without CR":      "GET / HTTP/1.1\nHost: a\n\n",
		"the empty line is without": "GET / HTTP/1.1\r\nHost: a\r\n\n",
		"a request line":            "GET a request line\r\n",
		"an empty line":             "\r\nGET / HTTP/1.1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, d)
			c.send(t, head)
			resp, err := http.ReadResponse(c.from, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		})
	}
}

func TestTheBeginningOfAPrefaceIsNotWaitedForLonger(t *testing.T) {
	slow := limits
	slow.ReadTimeout = 100 * time.Millisecond
	c := dial(t, open(t, slow, mirror))
	c.send(t, "PRI *\r\n")
	resp, err := http.ReadResponse(c.from, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

func TestAConnectionMayBeIdleForSoLong(t *testing.T) {
	brief := limits
	brief.ReadTimeout, brief.IdleTimeout = 100*time.Millisecond, 2*time.Second
	c := dial(t, open(t, brief, mirror))
	for range 3 {
		c.send(t, post("/", "body"))
		c.answer(t, "body")
		time.Sleep(2 * brief.ReadTimeout) // which does not count between calls
	}
	begun := time.Now()
	if c.ended(t); time.Since(begun) < brief.IdleTimeout/2 {
		t.Errorf("closed after %s", time.Since(begun))
	}
}

func TestACallThatPanicsEndsItsConnectionAlone(t *testing.T) {
	d := open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("on purpose")
		}
		mirror(w, r)
	}))
	other, c := dial(t, d), dial(t, d)
	c.send(t, post("/panic", ""))
	c.ended(t)
	other.send(t, post("/", "body"))
	other.answer(t, "body")
}

func TestAStatusOfNoResponseEndsTheConnection(t *testing.T) {
	for _, status := range []int{0, 99, 1000} {
		c := dial(t, open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
		})))
		c.send(t, post("/", ""))
		c.ended(t)
	}
}

func TestAsManyLineEndsAreSkippedAsByNetHTTP(t *testing.T) {
	d := open(t, limits, mirror)
	for ends, want := range map[string]int{"\r\n\r\n": http.StatusOK, "\r\n\r\n\r": http.StatusBadRequest} {
		c := dial(t, d)
		c.send(t, post("/", "body"))
		c.answer(t, "body")
		for _, end := range ends {
			c.send(t, string(end))
			time.Sleep(5 * time.Millisecond) // so that it comes alone
		}
		c.send(t, post("/", "body"))
		resp, err := http.ReadResponse(c.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: answered %d, want %d", ends, resp.StatusCode, want)
		}
	}
}

func TestLineEndsAreSkippedAfterAPOSTAlone(t *testing.T) {
	c := dial(t, open(t, limits, mirror))
	c.send(t, post("/", "body"))
	c.answer(t, "body")
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	c.send(t, get)
	c.answer(t, "")
	c.send(t, "\r\n"+get)
	c.answer(t, "400 Bad Request")
}

// net/http begins a call when its head has come.
func TestABodyThatIsTooLongForAPlainCallIsNotWaitedFor(t *testing.T) {
	h := newWaiting()
	c := dial(t, open(t, limits, h))
	body := strings.Repeat("b", 9000)
	head := strings.TrimSuffix(post("/", body), body)
	c.send(t, head)
	<-h.begun
	c.send(t, body)
	h.goOn <- struct{}{}
	c.answer(t, body)
}

// A proxy that knows HTTP/1.1 alone uses a connection for the calls of all its clients.
func TestHTTP2DoesNotBeginBehindACall(t *testing.T) {
	for _, begin := range []string{post("/", "body"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
		for _, preface := range []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n"} {
			c := dial(t, open(t, limits, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			c.send(t, begin)
			c.answer(t, "")
			c.send(t, preface)
			if resp := c.answer(t, "400 Bad Request"); resp.StatusCode != http.StatusBadRequest || !resp.Close {
				t.Errorf("answered %v", resp)
			}
		}
	}
}

func TestAConnectionIsHandedOverWithoutDeadlines(t *testing.T) {
	const limit = 50 * time.Millisecond
	wrote := make(chan error, 1)
	s := plainhttp.New(plainhttp.Config{Handler: mirror, Other: func(c net.Conn) {
		time.Sleep(2 * limit)
		_, err := io.WriteString(c, "late")
		wrote <- err
	}, ReadTimeout: time.Minute, WriteTimeout: limit, IdleTimeout: time.Minute, Grace: limit,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return ctx },
		Log:         slog.New(slog.DiscardHandler)})
	ln := testkit.Listen(t)
	go func() { _ = s.Serve(ln) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{conn, bufio.NewReader(conn)}
	c.send(t, post("/", "body"))
	c.answer(t, "body")
	c.send(t, "PUT / HTTP/1.1\r\n")
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

// Heads that repeat cost the handler's request and context, the body, and no more.
func TestAPlainCallAllocatesLittle(t *testing.T) {
	answer := []byte(`{"allow":true}`)
	d := open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	for _, call := range []string{post("/a", `{"request":{}}`), "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		c, call, got := dial(t, d), []byte(call), make([]byte, 1<<10)
		testkit.WithinAllocations(t, 8, func() {
			if _, err := c.Write(call); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(got); err != nil {
				t.Fatal(err)
			}
		})
	}
}
