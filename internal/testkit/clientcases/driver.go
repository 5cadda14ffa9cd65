package clientcases

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// driver is the client of an application.
type driver struct {
	*World
	addr    string // of the application whose calls have time
	hurried string // of the application whose calls have no time
}

// within is the time in which an application must have answered, whatever the sidecar does: far more than it needs.
const within = 2 * time.Minute

// seen is what the application says of a request that was allowed.
type seen struct {
	Target  string              `json:"target"`
	Path    *string             `json:"path"`
	Headers map[string][]string `json:"headers"`
	Context map[string]any      `json:"context"`
}

// answer is what the application, or the client in front of it, answered.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %v %s", a.status, a.header, a.body) }

// seen reads what the application saw. A request that did not reach it is a failure.
func (a answer) seen(t *testing.T) seen {
	t.Helper()
	var s seen
	if a.status != http.StatusOK {
		t.Fatalf("want 200 of the application, got %v", a)
	}
	if err := json.Unmarshal([]byte(a.body), &s); err != nil || s.Target == "" {
		t.Fatalf("the application answered %v, %v", a, err)
	}
	if u, err := url.Parse(s.Target); err != nil || s.Path != nil && *s.Path != u.Path {
		t.Errorf("the sidecar decided about %s, and the application serves %v, %v", s.Target, *s.Path, err)
	}
	return s
}

// order is a request with a token that may read orders; more are header lines.
func (d *driver) order(more ...string) request {
	return request{target: "/orders/42", headers: append([]string{"Authorization: Bearer " + d.reader}, more...)}
}

// request is what is sent to an application.
type request struct {
	method  string // empty: GET
	target  string
	headers []string // lines
	body    string
}

// get sends r to the application whose calls have time.
func (d *driver) get(t *testing.T, r request) answer {
	t.Helper()
	return d.to(t, d.addr, r)
}

// to writes r as it is: no library stands between a case and the wire.
func (d *driver) to(t *testing.T, addr string, r request) answer {
	t.Helper()
	a, err := exchange(addr, r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.target, err)
	}
	return a
}

func exchange(addr string, r request) (answer, error) {
	c, err := net.DialTimeout("tcp", addr, within)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return answer{}, err
	}
	if r.method == "" {
		r.method = http.MethodGet
	}
	lines := append([]string{r.method + " " + r.target + " HTTP/1.1", "Host: " + host, "Connection: close"},
		r.headers...)
	if _, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n\r\n"+r.body); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: r.method})
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

// refused checks that the client refused, as for a sidecar that does not answer: 503 and Retry-After.
func refused(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%s: want 503 with Retry-After, got %v", what, a)
	}
}

// recovers checks that the next request passes when the sidecar answers again.
func (d *driver) recovers(t *testing.T) {
	t.Helper()
	d.front.pass(t)
	d.get(t, d.order()).seen(t)
}
