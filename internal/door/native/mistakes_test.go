package native_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// mistake is a call that is wrong, and the whole message that it gets.
type mistake struct {
	name, call string // METHOD PATH, POST /v1/decisions when empty
	body       string
	header     http.Header // application/json when nil
	want       string
}

func request(members string) string {
	return `{"request":{"method":"GET","url":"/",` + members + `}}`
}

// bodyMistakes are about the JSON of a call.
func bodyMistakes() []mistake {
	return []mistake{
		{name: "a header is text", body: request(`"headers":{"authorization":"Bearer x"}`),
			want: `want an array of strings, not a string: write ["..."]`},
		{name: "a value of a header is a number", body: request(`"headers":{"x-n":[1]}`),
			want: "want a string, not a number"},
		{name: "headers are pairs", body: request(`"headers":[["a","1"]]`), want: "want an object, not an array"},
		{name: "the method is a number", body: `{"request":{"method":1,"url":"/"}}`,
			want: "want a string, not a number"},
		{name: "the body is an object", body: request(`"body":{}`), want: "want a string, not an object"},
		{name: "the request is text", body: `{"request":"GET /"}`, want: "want an object, not a string"},
		{name: "the call is an array", body: `[]`, want: "want an object, not an array"},
		{name: "the token is true", body: `{"token":true,"request":{}}`, want: "want a string, not true or false"},
		{name: "the context is text", body: `{"request":{"method":"GET","url":"/"},"context":"a"}`,
			want: "want an object, not a string"},
		{name: "items are an object", call: "POST /v1/decisions/batch", body: `{"items":{}}`,
			want: "want an array of objects, not an object: write [{...}]"},
		{name: "camel case", body: request(`"sourceIp":"::1"`),
			want: `there is no such member: did you mean "source_ip"?`},
		{name: "a letter is missing", body: `{"reqest":{}}`, want: `there is no such member: did you mean "request"?`},
		{name: "a misspelt name of a batch", call: "POST /v1/decisions/batch", body: `{"item":[]}`,
			want: `there is no such member: did you mean "items"?`},
		{name: "the request without its member", body: `{"method":"GET","url":"/"}`,
			want: `there is no such member: it belongs into "request"`},
		{name: "the token in the request", body: request(`"token":"x"`),
			want: `there is no such member: it belongs beside "request"`},
		{name: "items in an item", call: "POST /v1/decisions/batch", body: `{"items":[{"items":[]}]}`,
			want: `there is no such member: it belongs beside "items"`},
		{name: "the input of OPA", body: `{"input":{}}`, want: "there is no such member: there are request, token, " +
			"context"},
		{name: "a header as a member", body: request(`"authorization":"x"`), want: "there is no such member: " +
			"there are method, url, headers, source_ip, client_certificate, body"},
		{name: "a member twice", body: `{"token":"a","token":"b"}`, want: "the member occurs twice: write it once"},
		{name: "no request", body: `{}`, want: `want an object such as {"method": "GET", "url": "/orders/42"}`},
		{name: "no method", body: `{"request":{"url":"/"}}`, want: `want the method of the request, such as "GET"`},
		{name: "no URL", body: `{"request":{"method":"GET"}}`,
			want: `want the request target as it arrived, such as "/orders/42?expand=items"`},
		{name: "an empty token", body: `{"request":{"method":"GET","url":"/"},"token":""}`,
			want: "the token is empty: without a token, leave the member out"},
		{name: "no items", call: "POST /v1/decisions/batch", body: `{"items":[]}`,
			want: "want an array of one question at least"},
		{name: "too many items", call: "POST /v1/decisions/batch", body: `{"items":[{},{},{},{},{},{}]}`,
			want: "a batch has at most 5 items"},
		{name: "no body", body: "", want: "the body is empty: want a JSON object"},
		{name: "half a body", body: `{"request":{"method":"GET",`,
			want: "the JSON of the body is cut off: it ends before its last bracket or quote"},
		{name: "a comma too many", body: "{\"request\":{\n  \"method\":\"GET\",\n}}",
			want: "the body is not well-formed JSON at row 2, column 17: there is a comma before the bracket"},
		{name: "single quotes", body: `{'request':{}}`,
			want: "the body is not well-formed JSON at row 1, column 2: write double quotes"},
		{name: "a comment", body: "{\n  // why\n}", want: "the body is not well-formed JSON at row 2, column 3: " +
			"JSON has no comments"},
		{name: "two values", body: `{"request":{"method":"GET","url":"/"}} {}`,
			want: "the body is not well-formed JSON at row 1, column 40: there is more after the first value"},
		{name: "a variable that was not set", body: `{"token": , "request":{}}`,
			want: "the body is not well-formed JSON at row 1, column 11"},
		{name: "Latin-1", body: "{\"token\":\"\xe9\"}", want: "the body is not well-formed JSON at row 1, column " +
			"11: it is not UTF-8"},
		{name: "a body over the limit", body: strings.Repeat(" ", 5000), want: "the body is over 4096 bytes"},
	}
}

// addressMistakes are about path, method and media type.
func addressMistakes() []mistake {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return []mistake{
		{name: "curl without a media type", body: "{}", header: form,
			want: "want Content-Type: application/json, not a form: with curl, add -H 'Content-Type: application/json'"},
		{name: "no media type", body: "{}", header: http.Header{}, want: "want Content-Type: application/json"},
		{name: "gzip", body: "{}", header: http.Header{"Content-Type": {"application/json"},
			"Content-Encoding": {"gzip"}},
			want: "want a body without Content-Encoding"},
		{name: "another method", call: "GET /v1/decisions", want: "this path takes POST"},
		{name: "another method of a probe", call: "POST /livez", want: "this path takes GET, HEAD"},
		{name: "the singular", call: "POST /v1/decision", body: "{}",
			want: "there is nothing at this path: did you mean POST /v1/decisions?"},
		{name: "no version", call: "POST /decisions", body: "{}",
			want: "there is nothing at this path: did you mean POST /v1/decisions?"},
		{name: "a slash at the end", call: "GET /v1/status/",
			want: "there is nothing at this path: did you mean GET /v1/status?"},
		{name: "the path of OPA", call: "POST /v1/data/authz/allow", body: "{}",
			want: "there is nothing at this path: did you mean POST /v1/decisions?"},
		{name: "a probe by another name", call: "GET /healthz",
			want: "there is nothing at this path: did you mean GET /livez?"},
		{name: "a path of the admin listener", call: "POST /v1/evict", body: "{}",
			want: "there is nothing at this path: POST /v1/evict is on the listener admin (listen.admin of the " +
				"configuration)"},
		{name: "metrics", call: "GET /metrics",
			want: "there is nothing at this path: GET /metrics is on the listener " +
				"admin or metrics (listen.admin, listen.metrics of the configuration)"},
		{name: "an event", call: "POST /v1/events/acme/shared-signals", body: "{}",
			want: "there is nothing at this path: events are received by the admin listener (listen.admin)"},
		{name: "a path that nothing is like", call: "GET /favicon.ico", want: "there is nothing at this path: this " +
			"listener has POST /v1/decisions, POST /v1/decisions/batch, POST /v1/decisions/{path}, GET /v1/status, " +
			"GET /livez, GET /readyz, GET /openapi.json, GET /"},
		{name: "a misspelt entrypoint", call: "POST /v1/decisions/authz/decison", body: "{}",
			want: `no policy may be asked as "authz/decison": did you mean "authz/decision"?`},
		{name: "an entrypoint with dots", call: "POST /v1/decisions/data.authz.decision", body: "{}",
			want: `no policy may be asked by this path: did you mean "authz/decision"?`},
		{name: "an entrypoint that nothing is like", call: "POST /v1/decisions/billing/main", body: "{}",
			want: `no policy may be asked as "billing/main": there are authz/decision, authz/no; another rule needs ` +
				"the annotation entrypoint: true, or its name in engine.entrypoints"},
	}
}

func TestAMistakeIsToldWhatWasWanted(t *testing.T) {
	s := serve(t, listener(), native.Deps{Status: func() status.Report {
		return status.Report{Ready: true, Policy: status.Policy{Entrypoints: []string{"authz/decision", "authz/no"}}}
	}})
	for _, m := range slices.Concat(bodyMistakes(), syntaxMistakes(), addressMistakes()) {
		t.Run(m.name, func(t *testing.T) { m.check(t, s, "POST /v1/decisions") })
	}
}

func TestAMistakeOfAnEvictionIsToldWhatWasWanted(t *testing.T) {
	s := admin(t, native.Deps{Evictor: refusing{}})
	for _, m := range []mistake{
		{name: "an empty member", body: `{"sub":""}`, want: "the member is empty: leave it out, or give its value"},
		{name: "the claim iss", body: `{"iss":"x"}`, want: `there is no such member: did you mean "issuer"?`},
		{name: "a scheme", body: `{"token":"Bearer x"}`,
			want: "this is not the syntax of a token: give the token alone, without a scheme"},
		{name: "the name of the claim in JWTs", body: `{"subject":"alice"}`,
			want: "there is no such member: there are " +
				"issuer, token, jti, sid, sub, username, client_id, tenant, all"},
		{name: "a truth in quotes", body: `{"all":"true"}`, want: "want true or false, not a string"},
		{name: "a decision", call: "POST /v1/decisions", body: "{}", want: "there is nothing at this path: " +
			"POST /v1/decisions is on the listener api (listen.api of the configuration)"},
		{name: "an event", call: "POST /v1/events/acme/shared-signals", body: "{}",
			want: "there is nothing at this path: the configuration has no events"},
		{name: "another issuer", body: `{"issuer":"acme","all":true}`,
			want: "no issuer of the configuration has this name or identifier"},
	} {
		t.Run(m.name, func(t *testing.T) { m.check(t, s, "POST /v1/evict") })
	}
}

// refusing knows no issuer.
type refusing struct{}

func (refusing) Evict(authz.Revocation) (int, error) {
	return 0, &authz.Error{Kind: authz.Malformed, Code: "unknown_issuer", Err: http.ErrNotSupported}
}

func (m mistake) check(t *testing.T, s *server, call string) {
	t.Helper()
	if m.call != "" {
		call = m.call
	}
	if m.header == nil {
		m.header = http.Header{"Content-Type": {"application/json"}}
	}
	method, path, _ := strings.Cut(call, " ")
	resp, body := s.do(t, method, path, m.body, m.header)
	got := decode[struct{ Error struct{ Message string } }](t, body).Error.Message
	if resp.StatusCode < 400 || resp.StatusCode >= 500 || got != m.want {
		t.Errorf("answered %d\n%s\nwant\n%s", resp.StatusCode, got, m.want)
	}
}
