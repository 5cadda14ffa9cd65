package clientcases

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// decision is an answer that allows. Members of more replace those of the same name.
func decision(more string) string {
	members := []struct{ name, value string }{
		{"decision_id", `"01J00000000000000000000000"`}, {"allow", "true"}, {"kind", `"allow"`}, {"status", "200"},
		{"reasons", "[]"}, {"headers", "{}"}, {"upstream_headers", "{}"}, {"context", "{}"},
		{"policy", `{"path":"authz/decision","revision":"1","digest":"sha256:00"}`},
	}
	var out []string
	for _, m := range members {
		if !strings.Contains(more, `"`+m.name+`":`) {
			out = append(out, fmt.Sprintf("%q:%s", m.name, m.value))
		}
	}
	return "{" + strings.Join(append(out, more), ",") + "}"
}

func outage(t *testing.T, d *driver) {
	d.front.close()
	refused(t, "nothing listens", d.get(t, d.order()))
	d.recovers(t)
}

// noAnswer takes the call and says nothing.
func noAnswer(t *testing.T, d *driver) {
	d.front.answer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	refused(t, "no answer", d.to(t, d.hurried, d.order()))
	d.recovers(t)
}

// trickle sends a byte now and then: each is in time, and the whole is not.
func trickle(t *testing.T, d *driver) {
	d.front.answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for {
			if _, err := io.WriteString(w, " "); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}))
	refused(t, "a byte now and then", d.to(t, d.hurried, d.order()))
	d.recovers(t)
}

// raw answers with bytes and closes the connection.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // an HTTP/1.1 server that this package started
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, text) // an application that left needs no answer
	}
}

func cutOff(t *testing.T, d *driver) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	whole := decision(`"context":{}`)
	for name, text := range map[string]string{
		"nothing":                 "",
		"half a status line":      "HTTP/1.1 20",
		"half a header":           head[:40],
		"no body":                 head + "Content-Length: 300\r\n\r\n",
		"half a body":             head + "Content-Length: 300\r\n\r\n" + whole[:100],
		"a body, shorter than it": head + "Content-Length: 3000\r\n\r\n" + whole,
		"half a chunk":            head + "Transfer-Encoding: chunked\r\n\r\n12c\r\n" + whole[:100],
		"no last chunk": head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(whole),
			whole),
		"a broken status line": "HELLO\r\n\r\n" + whole,
	} {
		d.front.answer(raw(text))
		refused(t, name, d.get(t, d.order()))
	}
	d.recovers(t)
}

func noJSON(t *testing.T, d *driver) {
	whole := decision(`"context":{}`)
	for _, body := range []string{"", "<html>allow</html>", "allow", "true", whole[1:], whole + "x", whole + whole,
		strings.Replace(whole, `"allow":true`, `'allow':true`, 1), strings.Replace(whole, `"01J`, "\"\xff", 1)} {
		d.front.answer(testkit.ReplyJSON(body))
		refused(t, body, d.get(t, d.order()))
	}
	d.front.answer(testkit.Reply(200, "text/html", "<html>OK</html>"))
	refused(t, "a page", d.get(t, d.order()))
	d.recovers(t)
}

func noDecision(t *testing.T, d *driver) {
	for _, body := range []string{"null", "{}", "[]", "[true]", `"allow"`, "1", `{"allow":true}`,
		decision(`"allow":"true"`), decision(`"allow":1`), decision(`"allow":null`), decision(`"status":"200"`),
		decision(`"status":200.5`), decision(`"status":null`), decision(`"kind":true`), decision(`"kind":"Allow"`),
		decision(`"headers":[]`), decision(`"headers":null`), decision(`"headers":{"X-A":"1"}`),
		decision(`"headers":{"X-A":[1]}`), decision(`"upstream_headers":"x"`),
		decision(`"upstream_headers":{"X-A":null}`),
		decision(`"upstream_headers":{"X-A":["a\r\nX-B: c"]}`), decision(`"upstream_headers":{"X A":["a"]}`),
		decision(`"context":[]`), decision(`"context":null`), decision(`"reasons":{}`), decision(`"reasons":["x"]`),
		decision(`"decision_id":7`),
	} {
		d.front.answer(testkit.ReplyJSON(body))
		refused(t, body, d.get(t, d.order()))
	}
	d.recovers(t)
}

// contradiction is an answer that says two things: neither is believed.
func contradiction(t *testing.T, d *driver) {
	for _, body := range []string{
		decision(`"kind":"deny"`), decision(`"status":403`), decision(`"kind":"deny","status":403`),
		decision(`"allow":false`),
		decision(`"allow":false,"status":403`), decision(`"allow":false,"kind":"deny"`),
		decision(`"allow":false,"kind":"deny","status":302`), decision(`"allow":false,"kind":"deny","status":99999`),
		decision(`"allow":false,"allow":true`), decision(`"allow":true,"allow":true`),
		decision(`"kind":"deny","kind":"allow"`),
	} {
		d.front.answer(testkit.ReplyJSON(body))
		refused(t, body, d.get(t, d.order()))
	}
	d.recovers(t)
}

func tooLong(t *testing.T, d *driver) {
	d.front.answer(testkit.ReplyJSON(decision(`"context":{"pad":"` + strings.Repeat("x", 16<<20) + `"}`)))
	refused(t, "16 MiB", d.get(t, d.order()))
	d.recovers(t)
}

// tooDeep is JSON that takes the stack of a recursive parser.
func tooDeep(t *testing.T, d *driver) {
	for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		deep := strings.Repeat(pair[0], 100_000) + "1" + strings.Repeat(pair[1], 100_000)
		d.front.answer(testkit.ReplyJSON(decision(`"context":{"a":` + deep + `}`)))
		refused(t, pair[0], d.get(t, d.order()))
	}
	d.recovers(t)
}

func redirect(t *testing.T, d *driver) {
	const elsewhere = "/v1/elsewhere"
	for _, status := range []int{301, 302, 303, 307, 308} {
		d.front.answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == elsewhere {
				testkit.ReplyJSON(decision(`"context":{}`))(w, r)
				return
			}
			http.Redirect(w, r, elsewhere, status)
		}))
		n := d.front.calls()
		refused(t, fmt.Sprint(status), d.get(t, d.order()))
		if got := d.front.calls() - n; got != 1 {
			t.Errorf("%d: %d calls, want 1: a redirect is not followed", status, got)
		}
	}
	d.recovers(t)
}

func serverErrors(t *testing.T, d *driver) {
	allow := decision(`"context":{}`)
	for _, status := range []int{500, 502, 503, 504, 429, 201, 204, 206} {
		d.front.answer(testkit.Reply(status, "application/json", allow))
		refused(t, fmt.Sprint(status), d.get(t, d.order()))
	}
	for _, status := range []int{429, 503} {
		d.front.answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "17")
			testkit.Reply(status, "application/json", allow)(w, r)
		}))
		if a := d.get(t, d.order()); a.status != 503 || a.header.Get("Retry-After") != "17" {
			t.Errorf("%d: want 503 with the Retry-After of the sidecar, got %v", status, a)
		}
	}
	d.recovers(t)
}

// callErrors are answers to a call that the application should not have made: an error of its own, which no client
// should try again.
func callErrors(t *testing.T, d *driver) {
	for _, status := range []int{400, 401, 403, 404, 405, 413, 415, 421} {
		for _, body := range []string{
			`{"error":{"code":"wrong_type","message":"want an array of strings","pointer":"/request/headers/x"}}`,
			decision(`"context":{}`), "<html>", "",
		} {
			d.front.answer(testkit.Reply(status, "application/json", body))
			a := d.get(t, d.order())
			if a.status != http.StatusInternalServerError || strings.Contains(a.body, "array of strings") {
				t.Errorf("%d %s: want 500 without the cause, got %v", status, body, a)
			}
		}
	}
	d.recovers(t)
}

func keepAlive(t *testing.T, d *driver) {
	d.get(t, d.order()).seen(t)
	before := d.front.connections()
	for range 20 {
		d.get(t, d.order()).seen(t)
	}
	if more := d.front.connections() - before; more > 1 {
		t.Errorf("20 calls opened %d connections", more)
	}
}

// closedWhileIdle closes connections that were kept: the next call must not fail for it.
func closedWhileIdle(t *testing.T, d *driver) {
	for range 5 {
		d.get(t, d.order()).seen(t)
		testkit.Eventually(t, "a connection is kept", func() bool { return d.front.waiting() > 0 })
		d.front.closeIdle()
		d.get(t, d.order()).seen(t)
	}
}

func atOnce(t *testing.T, d *driver) {
	answers := make(chan error, 40)
	var all sync.WaitGroup
	for range cap(answers) {
		all.Go(func() {
			a, err := exchange(d.addr, d.order())
			if err == nil && a.status != http.StatusOK {
				err = fmt.Errorf("%v", a)
			}
			answers <- err
		})
	}
	all.Wait()
	close(answers)
	for err := range answers {
		if err != nil {
			t.Error(err)
		}
	}
}
