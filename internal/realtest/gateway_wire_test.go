//go:build real

package realtest

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// field is one line of a header, as it is on the wire: its case, its place and its duplicates are kept.
type field struct{ name, value string }

// wireRequest is a request that is written to a socket byte by byte: no library corrects it.
type wireRequest struct {
	method, target string // "GET", "/things" without one
	host           string // "app.example.test" without one
	header         []field
	body           string
	chunked        bool
	upgrade        bool // to WebSocket; after a 101, "ping" is sent and "pong" is expected
}

func (q wireRequest) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", cmp.Or(q.method, "GET"), cmp.Or(q.target, "/things"),
		cmp.Or(q.host, "app.example.test"))
	closes := !q.upgrade
	for _, f := range q.header {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
		closes = closes && !strings.EqualFold(f.name, "Connection")
	}
	switch {
	case q.upgrade:
		b.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	case closes:
		b.WriteString("Connection: close\r\n")
	}
	switch {
	case q.chunked:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(q.body), q.body)
	case q.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(q.body), q.body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// wireAnswer is what the client got.
type wireAnswer struct {
	status int // 0: the connection ended without an answer
	header http.Header
	body   string
}

// exchange sends a request on a connection of its own and reads the answer.
func (q wireRequest) exchange(t *testing.T, address string) wireAnswer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = conn.Write(q.bytes()) // a refusal may come before the end of the body
	}()
	defer func() { _ = conn.Close(); <-sent }()
	read := bufio.NewReader(conn)
	resp, err := http.ReadResponse(read, &http.Request{Method: cmp.Or(q.method, "GET")})
	if err != nil {
		return wireAnswer{body: err.Error()}
	}
	defer resp.Body.Close()
	a := wireAnswer{status: resp.StatusCode, header: resp.Header}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		a.body = ping(conn, read)
		return a
	}
	body, _ := io.ReadAll(resp.Body)
	a.body = string(body)
	return a
}

// ping sends "ping" through an upgraded connection, and returns the four bytes that come back.
func ping(conn net.Conn, read io.Reader) string {
	if _, err := io.WriteString(conn, "ping"); err != nil {
		return err.Error()
	}
	back := make([]byte, 4)
	if _, err := io.ReadFull(read, back); err != nil {
		return err.Error()
	}
	return string(back)
}

// wireSeen is a request that the application got.
type wireSeen struct {
	method, target string
	header         []field
	body           string
}

// values are those of a header, in any case of its name.
func (s wireSeen) values(name string) []string {
	var values []string
	for _, f := range s.header {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

func (s wireSeen) value(name string) string { return strings.Join(s.values(name), ",") }

// application is the API behind a gateway. It answers 200 with the body "application", and it keeps what it got, as it
// was on the wire.
type application struct {
	listener net.Listener
	mu       sync.Mutex
	seen     []wireSeen // guarded by mu
	serving  sync.WaitGroup
}

// startApplication serves on a free port until the end of t.
func startApplication(t *testing.T) *application {
	t.Helper()
	app := &application{listener: testkit.Listen(t)}
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	app.serving.Go(func() {
		for {
			conn, err := app.listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			app.serving.Go(func() {
				defer conn.Close()
				app.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = app.listener.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		app.serving.Wait()
	})
	return app
}

func (app *application) address() string { return app.listener.Addr().String() }

// requests are all that came so far.
func (app *application) requests() []wireSeen {
	app.mu.Lock()
	defer app.mu.Unlock()
	return append([]wireSeen(nil), app.seen...)
}

// serve answers the requests of a connection, one after the other.
func (app *application) serve(conn net.Conn) {
	read := bufio.NewReader(conn)
	for {
		s, err := readWire(read)
		if err != nil {
			return
		}
		app.mu.Lock()
		app.seen = append(app.seen, s)
		app.mu.Unlock()
		if strings.EqualFold(s.value("Upgrade"), "websocket") {
			_, _ =
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket"+
					"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			four := make([]byte, 4)
			if _, err := io.ReadFull(read, four); err == nil && string(four) == "ping" {
				_, _ = io.WriteString(conn, "pong")
			}
			return
		}
		body := "application"
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Application: yes\r\nContent-Length: %d\r\n\r\n", len(body))
		if s.method != "HEAD" {
			answer += body
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// readWire reads one request and changes nothing of it.
func readWire(read *bufio.Reader) (wireSeen, error) {
	line, err := read.ReadString('\n')
	if err != nil {
		return wireSeen{}, err
	}
	words := strings.Fields(line)
	if len(words) != 3 {
		return wireSeen{}, fmt.Errorf("request line %q", line)
	}
	s := wireSeen{method: words[0], target: words[1]}
	for {
		if line, err = read.ReadString('\n'); err != nil {
			return wireSeen{}, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		s.header = append(s.header, field{name, strings.TrimSpace(value)})
	}
	var body io.Reader = strings.NewReader("")
	if strings.EqualFold(s.value("Transfer-Encoding"), "chunked") {
		body = httputil.NewChunkedReader(read)
	} else if n, err := strconv.Atoi(s.value("Content-Length")); err == nil {
		body = io.LimitReader(read, int64(n))
	}
	b, err := io.ReadAll(body)
	s.body = string(b)
	if err == nil && strings.EqualFold(s.value("Transfer-Encoding"), "chunked") {
		_, err = read.ReadString('\n') // the end of the trailers
	}
	return s, err
}
