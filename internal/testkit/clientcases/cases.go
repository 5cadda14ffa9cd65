package clientcases

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func allowed(t *testing.T, d *driver) {
	r := d.order()
	r.target += "?a=%2Fb&a=c+d"
	s := d.get(t, r).seen(t)
	if s.Target != r.target {
		t.Errorf("the application saw %s as its target, want %s", s.Target, r.target)
	}
	want := map[string]any{"route": "order", "query": map[string]any{"a": []any{"/b", "c d"}}}
	if !reflect.DeepEqual(s.Context, want) {
		t.Errorf("the context is %v, want %v", s.Context, want)
	}
	if got := s.under("x-subject"); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("x-subject is %q", got)
	}
}

func asked(t *testing.T, d *driver) {
	r := d.order("X-Multi: a", "x-multi: b", "X-Empty:")
	r.method, r.target = "DELETE", "/orders/42?b=%20"
	n := d.front.calls()
	d.get(t, r).seen(t)
	qs := d.front.since(t, n)
	if len(qs) != 1 {
		t.Fatalf("the sidecar was asked %d times", len(qs))
	}
	q := qs[0].Request
	headers := map[string][]string{}
	for name, values := range q.Headers {
		headers[strings.ToLower(name)] = append(headers[strings.ToLower(name)], values...)
	}
	if q.Method != r.method || q.URL != r.target && q.URL != "http://"+host+r.target || q.SourceIP != "127.0.0.1" {
		t.Errorf("asked about %s %s of %q", q.Method, q.URL, q.SourceIP)
	}
	// CGI and WSGI have one value a name: RFC 9110 section 5.3 makes it of several.
	if got := strings.ReplaceAll(strings.Join(headers["x-multi"], ","), " ", ""); got != "a,b" {
		t.Errorf("x-multi is %q", headers["x-multi"])
	}
	if !slices.Equal(headers["host"], []string{host}) {
		t.Errorf("host is %q", headers["host"])
	}
}

// under is the values of every header that a framework may take for name: those whose name differs in case, or has
// underscores for hyphens.
func (s seen) under(name string) []string {
	var out []string
	for n, values := range s.Headers {
		if strings.ReplaceAll(strings.ToLower(n), "_", "-") == name {
			out = append(out, values...)
		}
	}
	return out
}

// spellings are the client's own headers under the name of an upstream header.
func spellings() []string {
	return []string{"X-Client-Id: root", "x-client-id: root", "X-CLIENT-ID: root", "X_Client_Id: root",
		"x-client_id: root", "X_CLIENT-ID: root"}
}

func replaced(t *testing.T, d *driver) {
	// The real sidecar lets the spelling of HTTP pass, and refuses the others.
	for _, line := range spellings() {
		a := d.get(t, d.order(line))
		if strings.Contains(line, "_") && a.status == http.StatusBadRequest {
			continue
		}
		if got := a.seen(t).under("x-client-id"); !slices.Equal(got, []string{"web"}) {
			t.Errorf("%s: the application sees %q, want web", line, got)
		}
	}
	d.front.answer(testkit.ReplyJSON(decision(`"upstream_headers":{"X-Client-Id":["web"]}`)))
	for _, lines := range append([][]string{spellings()}, slices.Collect(slices.Chunk(spellings(), 1))...) {
		if got := d.get(t, d.order(lines...)).seen(t).under("x-client-id"); !slices.Equal(got, []string{"web"}) {
			t.Errorf("%s: the application sees %q, want web", lines, got)
		}
	}
}

func emptied(t *testing.T, d *driver) {
	for _, values := range []string{`[""]`, `[]`} {
		d.front.answer(testkit.ReplyJSON(decision(`"upstream_headers":{"X-Tenant":` + values + `}`)))
		got := d.get(t, d.order("X-Tenant: acme", "x_tenant: acme")).seen(t).under("x-tenant")
		if strings.Join(got, "") != "" {
			t.Errorf("%s: the application sees %q, want nothing", values, got)
		}
	}
}

// nonce is a client that proves that it holds the key of its token: without a nonce it is told one, and with each
// answer the next.
func nonce(t *testing.T, d *driver) {
	ask := func(nonce any) answer {
		proof := d.key.Proof(t, "GET", publicURL+"/orders/42", d.bound, map[string]any{"nonce": nonce})
		return d.get(t, request{target: "/orders/42", headers: []string{"Authorization: DPoP " + d.bound,
			"DPoP: " + proof}})
	}
	first := ask(nil)
	given := first.header.Get("DPoP-Nonce")
	if first.status != http.StatusUnauthorized || given == "" ||
		!strings.Contains(first.header.Get("WWW-Authenticate"), "use_dpop_nonce") {
		t.Fatalf("want 401 with a nonce, got %v", first)
	}
	second := ask(given)
	second.seen(t)
	if second.header.Get("DPoP-Nonce") == "" || second.header.Get("Cache-Control") != "no-store" {
		t.Errorf("want the next nonce and no-store, got %v", second)
	}
}

func denied(t *testing.T, d *driver) {
	a := d.get(t, request{target: "/orders/42", headers: []string{"Authorization: Bearer " + d.poor}})
	want := `Bearer realm="acme", error="insufficient_scope", scope="orders:read"`
	if got := a.header.Values("WWW-Authenticate"); a.status != http.StatusForbidden ||
		!slices.Equal(got, []string{want}) {
		t.Errorf("want 403 with %s, got %v", want, a)
	}
	r := d.order()
	r.target = "/coffee"
	if a := d.get(t, r); a.status != http.StatusTeapot || a.header.Get("X-Hint") != "tea" {
		t.Errorf("want 418 with X-Hint, got %v", a)
	}
	r.method = http.MethodHead
	if a := d.get(t, r); a.status != http.StatusTeapot || a.body != "" {
		t.Errorf("HEAD: want 418 without a body, got %v", a)
	}
}

// beyondASCII is the name of a person in a header: UTF-8, which CGI and WSGI show as if it were ISO 8859-1.
func beyondASCII(t *testing.T, d *driver) {
	if got := strings.Join(d.get(t, d.order()).seen(t).under("x-name"), ""); got != "Zoë Ω" && got != latin1("Zoë Ω") {
		t.Errorf("the application sees %q", got)
	}
	r := d.order()
	r.target = "/coffee"
	if a := d.get(t, r); a.status != http.StatusTeapot || a.header.Get("X-Menu") != "thé Ω" {
		t.Errorf("want 418 with X-Menu in UTF-8, got %v", a)
	}
}

// latin1 is the text that the bytes of s are in ISO 8859-1.
func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// unavailable is a decision that the authorization server did not answer, or too often.
func unavailable(t *testing.T, d *driver) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		d.front.answer(testkit.ReplyJSON(decision(fmt.Sprintf(
			`"allow":false,"kind":"unavailable","status":%d,"headers":{"Retry-After":["23"]}`, status))))
		if a := d.get(t, d.order()); a.status != status ||
			!slices.Equal(a.header.Values("Retry-After"), []string{"23"}) {
			t.Errorf("want %d with Retry-After: 23, got %v", status, a)
		}
	}
}

// refusedBody is a request that is refused before its body is read: the answer must reach the client.
func refusedBody(t *testing.T, d *driver) {
	r := d.order("Content-Type: text/plain", "Content-Length: 100000")
	r.method, r.target, r.body = "POST", "/coffee", strings.Repeat("x", 100_000)
	if a := d.get(t, r); a.status != http.StatusTeapot {
		t.Errorf("want 418, got %v", a)
	}
	r.target = "/orders/42"
	d.get(t, r).seen(t)
}

func unauthenticated(t *testing.T, d *driver) {
	a := d.get(t, request{target: "/orders/42"})
	got := a.header.Values("WWW-Authenticate") // two challenges, as two values or in one
	if all := strings.Join(got, ", "); a.status != http.StatusUnauthorized ||
		!strings.Contains(all, `Bearer realm="acme"`) ||
		!strings.Contains(all, "DPoP ") || strings.Contains(all, "error=") {
		t.Errorf("want 401 with a challenge for each scheme, got %v", a)
	}
}

func twoCredentials(t *testing.T, d *driver) {
	for _, second := range []string{"Authorization: Bearer " + d.poor, "authorization: Bearer " + d.reader} {
		if a := d.get(t, d.order(second)); a.status != http.StatusBadRequest {
			t.Errorf("want 400, got %v", a)
		}
	}
}

func unknownObligation(t *testing.T, d *driver) {
	r := d.order()
	r.target = "/obliged"
	if a := d.get(t, r); a.status != http.StatusInternalServerError {
		t.Errorf("want 500, got %v", a)
	}
	for _, obligations := range []string{`[{"type":"unheard-of"}]`, `[{}]`, `["unheard-of"]`, `{"type":"unheard-of"}`,
		`"x"`, `[null]`, `true`} {
		d.front.answer(testkit.ReplyJSON(decision(`"context":{"obligations":` + obligations + `}`)))
		if a := d.get(t, d.order()); a.status != http.StatusInternalServerError &&
			a.status != http.StatusServiceUnavailable {
			t.Errorf("%s: want a refusal, got %v", obligations, a)
		}
	}
	d.front.answer(testkit.ReplyJSON(decision(`"context":{"obligations":[]}`)))
	d.get(t, d.order()).seen(t)
}
