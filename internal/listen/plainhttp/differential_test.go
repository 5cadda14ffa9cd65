package plainhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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
	"strings"
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
func standard(t testing.TB, h http.Handler) net.Addr {
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

// told answers with what it sees of a call, in ways that the path chooses.
func told(w http.ResponseWriter, r *http.Request) {
	text, fault := io.ReadAll(r.Body)
	if r.Method == http.MethodHead {
		w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT") // in place of the server's
	}
	switch r.URL.Path {
	case "/panic":
		panic(http.ErrAbortHandler)
	case "/none":
		w.WriteHeader(http.StatusNoContent)
		_, _ = w.Write([]byte("never seen"))
		return
	case "/fields":
		h := w.Header()
		h["X-Two"], h["X-Lines"] = []string{"b", "a"}, []string{"one\r\nX-Injected: yes"}
		h.Set("Content-Length", "7")
		w.WriteHeader(http.StatusTeapot)
		h.Set("X-Late", "never seen")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "<html>\n")
		return
	case "/encoded":
		w.Header().Set("Content-Encoding", "x-own")
	case "/close":
		w.Header().Set("Connection", "close")
	case "/large":
		text = bytes.Repeat([]byte("large "), 20_000)
	case "/empty":
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "target": r.RequestURI, "url": fmt.Sprint(r.URL),
		"path": r.URL.Path, "proto": r.Proto, "host": r.Host, "header": r.Header, "length": r.ContentLength,
		"body": string(text), "fault": fmt.Sprint(fault), "encoding": r.TransferEncoding, "close": r.Close,
		"remote": r.RemoteAddr != "", "trailer": r.Trailer, "tls": r.TLS != nil})
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
			time.Sleep(time.Duration(min(len(parts)-1, 3)) * time.Millisecond / time.Duration(1+len(parts)/50))
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

// oddities are what a request may have instead of what is usual.
var oddities = struct{ methods, targets, versions, hosts, lengths, fields, ends []string }{
	methods: []string{"GET", "GET", "HEAD", "PUT", "post", "OPTIONS", "CONNECT", "PRI", "POST ", "POST\t"},
	targets: []string{"/none", "/fields", "/encoded", "/empty", "/large", "/close", "/panic", "/%zz", "/a%2Fb?q=1;2",
		"//x", "*", "http://other/x", "/\x80", "/a b", "", "/?", "/#f"},
	versions: []string{"HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/1.10", "", " HTTP/1.1"},
	hosts: []string{"host:", "HOST: a", "Host : a", "Hos: a", "Host:", "Host: a b", "Host: a,b", "Host: [::1]:80",
		"Host: é", "Host: a\x00", "Host: u@h"},
	lengths: []string{"", "+5", "05", "-1", "1e1", "0x5", "99999999999999999999", "5, 5", " 14", "14 ", "14\t", "٥"},
	fields: []string{"Connection: keep-alive", "Connection: close", "Connection: x", "Transfer-Encoding: chunked",
		"Transfer-Encoding: identity", "transfer-encoding : chunked", "Expect: 100-continue", "Upgrade: websocket",
		"Trailer: X", "TE: trailers", "Host: other", "Content-Length: 3", " folded", "\tfolded", "X-Bad\x01: a",
		"X-Value: a\x01", "X-Value: \xff", "X-Value: a\tb", ": empty", "noColon", "X Space: a", "Cookie: a=b",
		"Pragma: no-cache", "Authorization: Bearer k", "authorization: Bearer k", "X-Empty:", "X-Cr: a\rb",
		"X-Lf: a\nb", "X-Long: " + strings.Repeat("y", 2500),
		"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", "Content_Length: 5"},
	ends: []string{"\n", "\r", "\r\r\n"},
}

// request is a request of random parts, most of which are those of a plain one.
func request(r *rand.Rand) string {
	pick := func(usual string, others []string) string {
		if r.IntN(6) > 0 {
			return usual
		}
		return others[r.IntN(len(others))]
	}
	body := strings.Repeat("x", []int{0, 4, 9, 10, 99, 100, 3000, 9000}[r.IntN(8)])
	length := pick(fmt.Sprint(len(body)), oddities.lengths)
	lines := []string{
		pick("POST", oddities.methods) + " " + pick("/v1/decisions", oddities.targets) + " " +
			pick("HTTP/1.1", oddities.versions),
		pick("Host: localhost:8181", oddities.hosts), "Content-Type: application/json",
	}
	if body != "" || r.IntN(3) == 0 {
		lines = append(lines, pick("Content-Length", []string{"content-length", "Content-Length "})+": "+length)
	}
	for range r.IntN(3) {
		lines = append(lines, pick("X-Case: "+fmt.Sprint(r.IntN(3)), oddities.fields))
	}
	if r.IntN(4) == 0 {
		r.Shuffle(len(lines)-1, func(i, j int) { lines[i+1], lines[j+1] = lines[j+1], lines[i+1] })
	}
	end := "\r\n"
	if r.IntN(4) == 0 {
		end = pick(end, oddities.ends)
	}
	return strings.Join(lines, end) + end + end +
		pick(body, []string{body + "\r\n", body + last, "5\r\nhello\r\n0\r\n\r\n", body[:len(body)/2]})
}

// last ends a conversation: net/http does not answer less than four bytes before the end.
const last = "GET /close HTTP/1.1\r\nHost: localhost\r\n\r\n"

// conversation is what one client sends.
func conversation(r *rand.Rand) [][]byte {
	var all []byte
	plain := "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
	for range 1 + r.IntN(5) {
		if r.IntN(2) == 0 {
			body := strings.Repeat("z", []int{r.IntN(120), r.IntN(120), 0, 999, 1000, 9999}[r.IntN(6)])
			lead := []string{"", "0", "00", " ", "+"}[max(0, r.IntN(40)-35)]
			ends := strings.Repeat("\r\n", max(0, r.IntN(24)-20))
			all = append(all, plain+lead+fmt.Sprint(len(body))+"\r\n\r\n"+body+ends...)
			continue
		}
		all = append(all, request(r)...)
	}
	all = append(all, last...)
	if len(all) < 600 && r.IntN(40) == 0 {
		return slices.Collect(slices.Chunk(all, 1))
	}
	parts := [][]byte{all}
	for range r.IntN(4) {
		rest := parts[len(parts)-1]
		cut := r.IntN(len(rest) + 1)
		parts = append(parts[:len(parts)-1], rest[:cut], rest[cut:])
	}
	return slices.DeleteFunc(parts, func(p []byte) bool { return len(p) == 0 })
}

// compare fails unless both servers answer the same, and returns how many answers it compared.
func compare(t testing.TB, ours, theirs net.Addr, parts [][]byte) int {
	t.Helper()
	got, oursReset := exchange(t, ours, parts)
	want, theirsReset := exchange(t, theirs, parts)
	if n := len(got); n > 0 && n == len(want) {
		want[n-1].Close = got[n-1].Close // net/http does not say that it closes after a body that was cut off
	}
	n := min(len(got), len(want))
	same := func(a, b seen) bool { return reflect.DeepEqual(a, b) }
	if !slices.EqualFunc(got[:n], want[:n], same) || len(got) != len(want) && !oursReset && !theirsReset {
		t.Errorf("%q:\n  ours     %+v\n  net/http %+v", parts, got, want)
	}
	return n
}

// TestEachConnectionIsServedAsNetHTTPServesIt: what is plain is decided by the bytes alone, and no handler or client
// sees which server it was.
func TestEachConnectionIsServedAsNetHTTPServesIt(t *testing.T) {
	ours, theirs := open(t, limits, http.HandlerFunc(told)), standard(t, http.HandlerFunc(told))
	r := rand.New(rand.NewPCG(1, 23))
	const conversations = 400
	compared := 0
	for range conversations {
		if compared += compare(t, ours.Addr(), theirs, conversation(r)); t.Failed() {
			return
		}
	}
	if compared < conversations { // there are more than two a conversation, unless they end in resets
		t.Errorf("%d answers were compared", compared)
	}
	t.Log(compared, "answers were compared")
}

func FuzzConnections(f *testing.F) {
	ours, theirs := open(f, limits, http.HandlerFunc(told)), standard(f, http.HandlerFunc(told))
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(bytes.Join(conversation(r), nil), r.IntN(50))
	}
	f.Fuzz(func(t *testing.T, all []byte, cut int) {
		all = append(all, last...)
		cut = max(0, min(cut, len(all)))
		compare(t, ours.Addr(), theirs, [][]byte{all[:cut], all[cut:]})
	})
}
