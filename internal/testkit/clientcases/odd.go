package clientcases

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// properties are headers whose names are those of members that objects of some languages have without being given
// them.
func properties(t *testing.T, d *driver) {
	n := d.front.calls()
	r := d.order("constructor: 1", "__proto__: 2", "toString: 3", "keys: 4", "get: 5")
	d.get(t, r).seen(t)
	for _, q := range d.front.since(t, n) {
		if got := (seen{Headers: q.Request.Headers}).under("constructor"); !slices.Equal(got, []string{"1"}) {
			t.Errorf("the sidecar was told constructor: %q", got)
		}
	}
}

// ownPlaces are headers that servers keep in places of their own.
func ownPlaces(t *testing.T, d *driver) {
	d.front.answer(
		testkit.ReplyJSON(decision(`"upstream_headers":{"Content-Type":["text/good"],"Authorization":[""],` +
			`"Cookie":[],"Referer":["http://good"]}`)))
	s := d.get(t, d.order("Content-Type: text/evil", "Cookie: a=evil", "Referer: http://evil")).seen(t)
	for name, want := range map[string]string{"content-type": "text/good", "authorization": "", "cookie": "",
		"referer": "http://good"} {
		if got := strings.Join(s.under(name), ","); got != want {
			t.Errorf("the application sees %s: %q, want %q", name, got, want)
		}
	}
}

// pipelined sends three requests before it reads an answer. Each must get its own.
func pipelined(t *testing.T, d *driver) {
	c, err := net.DialTimeout("tcp", d.addr, within)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	targets := []string{"/coffee", "/orders/42", "/orders/43"}
	var all strings.Builder
	for _, target := range targets {
		fmt.Fprintf(&all, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", target, host, d.reader)
	}
	if _, err := io.WriteString(c, all.String()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for i, want := range []int{http.StatusTeapot, http.StatusOK, http.StatusForbidden} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i+1, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: want %d, got %d %s, %v", targets[i], want, resp.StatusCode, body, err)
		}
	}
}

// chunked is a request with a body whose length is not told, and one that begins a request of its own: it is a body,
// and no more than one question is asked.
func chunked(t *testing.T, d *driver) {
	smuggled := "GET /orders/42 HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
	r := d.order("Transfer-Encoding: chunked")
	r.method, r.body = "POST", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)
	n := d.front.calls()
	d.get(t, r).seen(t)
	if got := d.front.calls() - n; got != 1 {
		t.Errorf("the sidecar was asked %d times", got)
	}
}
