package plainhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// limits of the listeners of the tests.
var limits = listen.Limits{BodyBytes: 1 << 20, HeaderBytes: 64 << 10, BatchItems: 1, ReadTimeout: time.Minute,
	Timeout: time.Minute, IdleTimeout: time.Minute}

// open serves h until the test ends.
func open(t testing.TB, limits listen.Limits, h http.Handler) *listen.HTTP {
	t.Helper()
	d, err := listen.OpenHTTP(listen.Config{Address: "127.0.0.1:0", Limits: limits}, h,
		listen.Deps{Name: "api", Log: slog.New(slog.DiscardHandler), Calls: new(listen.Calls)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve() }()
	t.Cleanup(func() {
		over, stop := context.WithCancel(context.Background())
		stop()
		_ = d.Shutdown(over)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return d
}

// standard serves h with net/http alone until the test ends.
func standard(t testing.TB, limits listen.Limits, h http.Handler) net.Addr {
	t.Helper()
	ln := testkit.Listen(t)
	s := &http.Server{Handler: h, ReadTimeout: limits.ReadTimeout, IdleTimeout: limits.IdleTimeout,
		MaxHeaderBytes: limits.HeaderBytes, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close(); <-served })
	return ln.Addr()
}

// seen is a response as a client sees it.
type seen struct {
	Status int
	Proto  string
	Header http.Header
	Body   string
	Close  bool
}

// exchange sends parts one after the other and reads the responses up to the end of the connection. The client ends
// its half after the last part. A server that had not read all resets the connection, which may lose its last
// response.
func exchange(t testing.TB, address net.Addr, parts [][]byte) (responses []seen, reset bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, part := range parts {
			_, _ = conn.Write(part) // the server may have closed
			time.Sleep(time.Duration(min(len(parts)-1, 1)) * time.Millisecond)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	defer func() { _ = conn.Close(); <-sent }()
	for from := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			return responses, !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return responses, true
		}
		for _, framing := range []string{"Date", "Content-Length", "Transfer-Encoding"} {
			resp.Header.Del(framing)
		}
		// The next answer is taken for the body of one to HEAD.
		text := dates.ReplaceAllString(string(body), "Date: ")
		responses = append(responses, seen{resp.StatusCode, resp.Proto, resp.Header, text, resp.Close})
	}
}

var dates = regexp.MustCompile(`Date: [^\r\n]*`)

const tooLarge = http.StatusRequestHeaderFieldsTooLarge

// hasTooLarge reports whether a head was over the limit. One of up to 4096 bytes more may be: net/http counts what it
// reads from the connection, and not what it had read along with the call before.
func hasTooLarge(answers []seen) bool {
	return slices.ContainsFunc(answers, func(a seen) bool { return a.Status == tooLarge })
}

// compare fails unless both servers answer the same, and returns how many answers it compared.
func compare(t testing.TB, ours, theirs net.Addr, parts [][]byte) int {
	t.Helper()
	got, oursReset := exchange(t, ours, parts)
	want, theirsReset := exchange(t, theirs, parts)
	if n := len(got); n > 0 && n == len(want) {
		want[n-1].Close = got[n-1].Close // net/http does not say that it closes after a body that was cut off
	}
	oursReset, theirsReset = oursReset || hasTooLarge(got), theirsReset || hasTooLarge(want)
	n := min(len(got), len(want))
	for i := range n {
		if got[i].Status != want[i].Status && (got[i].Status == tooLarge || want[i].Status == tooLarge) {
			return i
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%q:\n  answer %d is\n  ours     %+v\n  net/http %+v", parts, i, got[i], want[i])
			return n
		}
	}
	if len(got) != len(want) && !oursReset && !theirsReset {
		t.Errorf("%q: %d answers, of net/http %d", parts, len(got), len(want))
	}
	return n
}

// TestEachConnectionIsServedAsNetHTTPServesIt: what is plain is decided by the bytes alone, and no handler or client
// sees which server it was.
func TestEachConnectionIsServedAsNetHTTPServesIt(t *testing.T) {
	narrow := limits
	narrow.HeaderBytes = 4096 // the least
	h := http.HandlerFunc(told)
	for _, limits := range []listen.Limits{limits, narrow} {
		ours, theirs := open(t, limits, h), standard(t, limits, h)
		for seed := range uint64(8) {
			t.Run(fmt.Sprint(limits.HeaderBytes, " ", seed), func(t *testing.T) {
				t.Parallel()
				const conversations = 25
				r, compared := rand.New(rand.NewPCG(seed, 23)), 0
				for i := 0; i < conversations && !t.Failed(); i++ {
					compared += compare(t, ours.Addr(), theirs, conversation(r))
				}
				if compared < conversations && !t.Failed() { // there are more, unless they end in resets
					t.Errorf("%d answers were compared", compared)
				}
			})
		}
	}
}

// A call ends where it ends, wherever the network cuts it.
func TestAConversationMayBeCutAnywhere(t *testing.T) {
	h := http.HandlerFunc(told)
	all := []byte(post("/waits", "a body") + post("/v1/decisions", post("/inner", "")) + "\r\n" +
		"GET /part HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + post("/v1/decisions", "another body") +
		"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: a\r\n\r\n" + last)
	ours, theirs := open(t, limits, h), standard(t, limits, h)
	want, _ := exchange(t, theirs, [][]byte{all})
	for at := 1; at < len(all) && !t.Failed(); at++ {
		if got, _ := exchange(t, ours.Addr(), [][]byte{all[:at], all[at:]}); !reflect.DeepEqual(got, want) {
			t.Errorf("cut after %q:\n  ours     %+v\n  net/http %+v", all[:at], got, want)
		}
	}
	if len(want) != 6 {
		t.Errorf("%d answers", len(want))
	}
}

func FuzzConnections(f *testing.F) {
	h := http.HandlerFunc(told)
	ours, theirs := open(f, limits, h), standard(f, limits, h)
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		f.Add(bytes.Join(conversation(r), nil), r.Uint64())
	}
	f.Fuzz(func(t *testing.T, all []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		compare(t, ours.Addr(), theirs, cut(append(all, last...), r, r.IntN(4)))
	})
}
