package clientcases

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// encodedQuestionMark is the order "42?x=1": what a framework decodes is another request than the one that came.
func encodedQuestionMark(t *testing.T, d *driver) {
	d.never(t, "/orders/42%3Fx=1")
}

func ambiguousPaths(t *testing.T, d *driver) {
	for _, target := range []string{
		"/orders%2F42", "/orders%2f42", "//orders/42", "/orders//42", "/./orders/42", "/x/../orders/42",
		"/x/%2e%2e/orders/42",
		"/orders;a=b/42", "/orders/42;a=b", "/orders/42%00", "/orders/4%32%", "/orders%5C42", "/orders/%2534%2532",
	} {
		d.never(t, target)
	}
}

// pathHeaders are headers by which some servers and frameworks let proxies change the path that they serve: the
// application serves what was decided, or the request is refused.
func pathHeaders(t *testing.T, d *driver) {
	for _, line := range []string{"SCRIPT_NAME: /orders", "Script-Name: /orders", "PATH_INFO: /secret",
		"X-Script-Name: /orders", "X-Forwarded-Prefix: /orders", "X-Original-URL: /secret", "X-Rewrite-URL: /secret",
		"X-Forwarded-Path: /secret", "X-HTTP-Method-Override: DELETE",
	} {
		if a := d.get(t, d.order(line)); a.status < 400 {
			a.seen(t)
		}
	}
}

// notUTF8 are bytes that no UTF-8 text has. In a header they are the application's; in a target they can be read in
// several ways.
func notUTF8(t *testing.T, d *driver) {
	if a := d.get(t, d.order("X-Name: caf\xe9")); a.status != http.StatusOK && a.status != http.StatusBadRequest {
		t.Errorf("a header: want 200, or 400, got %v", a)
	}
	d.never(t, "/orders/42%E9")
	d.never(t, "/orders/42%C0%AF")
	r := d.order()
	r.target = "/orders/42\xe9"
	if a, err := exchange(d.addr, r); err == nil && (a.status < 400 || a.status >= 500) {
		t.Errorf("bytes in the target: want 4xx or a closed connection, got %v", a)
	}
}

// absoluteForm is a target as proxies write it: RFC 9112 section 3.2.2.
func absoluteForm(t *testing.T, d *driver) {
	for _, target := range []string{"/orders%2F42", "/orders/42%3Fx=1", "//orders/42"} {
		d.never(t, "http://"+host+target)
	}
	r := d.order()
	r.target = "http://" + host + "/orders/42"
	switch a := d.get(t, r); {
	case a.status == http.StatusOK:
		if got := a.seen(t).Target; got != r.target && got != "/orders/42" {
			t.Errorf("the application saw %s as its target", got)
		}
	case a.status < 400 || a.status >= 500:
		t.Errorf("want 200 or a refusal, got %v", a)
	}
}

// twoHosts is a target with another host than the header Host: the application serves the host that was decided about.
func twoHosts(t *testing.T, d *driver) {
	n := d.front.calls()
	r := d.order()
	r.target = "http://other.example/orders/42"
	a := d.get(t, r)
	if a.status >= 400 && a.status < 500 {
		return
	}
	served := a.seen(t).under("host")
	for _, q := range d.front.since(t, n) {
		decided := strings.Join(seen{Headers: q.Request.Headers}.under("host"), ",")
		if u, err := url.Parse(q.Request.URL); err != nil || u.Host != "" {
			decided = u.Host
		}
		if len(served) > 0 && served[0] != decided {
			t.Errorf("the sidecar decided about %s, and the application serves %s", decided, served)
		}
	}
}

// never checks that a target that is not /orders/42 is not let through as it, and that the sidecar is asked about the
// target as it was sent, if it is asked at all.
func (d *driver) never(t *testing.T, target string) {
	t.Helper()
	n := d.front.calls()
	r := d.order()
	r.target = target
	if a := d.get(t, r); a.status < 400 || a.status >= 500 {
		t.Errorf("%s: want a refusal of the request, got %v", target, a)
	}
	origin := strings.TrimPrefix(target, "http://"+host)
	for _, q := range d.front.since(t, n) {
		if u := q.Request.URL; u != origin && u != "http://"+host+origin {
			t.Errorf("%s: the sidecar was asked about %s", target, u)
		}
	}
}
