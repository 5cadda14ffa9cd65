package native_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
)

// expectError asserts what a call that is no question is answered with.
func expectError(t *testing.T, resp *http.Response, body string, status int, code, pointer string) {
	t.Helper()
	got := decode[struct {
		Error struct {
			Code    string  `json:"code"`
			Message string  `json:"message"`
			Pointer *string `json:"pointer"`
		} `json:"error"`
		DecisionID *string `json:"decision_id"`
	}](t, body)
	if resp.StatusCode != status || got.Error.Code != code || got.Error.Pointer == nil ||
		*got.Error.Pointer != pointer {
		t.Errorf("answered %d %s, want %d %s at %q", resp.StatusCode, body, status, code, pointer)
	}
	if got.Error.Message == "" || got.DecisionID != nil {
		t.Errorf("answered %s", body)
	}
	if ct, cc := resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control"); ct != "application/json" ||
		cc != "no-store" {
		t.Errorf("Content-Type %q, Cache-Control %q", ct, cc)
	}
	if strings.Contains(body, rawToken) {
		t.Errorf("the answer quotes the token: %s", body)
	}
}

const signedToken = "eyJh.eyJz.c2ln"

func TestMalformedCalls(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	const headers = `"headers":{"authorization":["Bearer ` + rawToken + `"]}`
	for name, c := range map[string]struct{ path, body, code, pointer string }{
		"nothing":    {"", ``, "bad_json", ""},
		"no JSON":    {"", `Bearer ` + rawToken, "bad_json", ""},
		"half of it": {"", `{"token":"` + rawToken + `",`, "bad_json", ""},
		"something after it": {"", `{"request":{"method":"GET","url":"/"}} "` + rawToken + `"`,
			"bad_json", ""},
		"text that is not UTF-8": {"", "{\"token\":\"" + rawToken + "\xff\"}", "bad_json", "/token"},
		"an array":               {"", `[]`, "wrong_type", ""},
		"null":                   {"", `null`, "missing_member", "/request"},
		"an empty object":        {"", `{}`, "missing_member", "/request"},
		"no method":              {"", `{"request":{"url":"/"}}`, "missing_member", "/request/method"},
		"no URL":                 {"", `{"request":{"method":"GET"}}`, "missing_member", "/request/url"},
		"a null URL": {"", `{"request":{"method":"GET","url":null}}`, "missing_member",
			"/request/url"},
		"an empty token": {"", `{"request":{"method":"GET","url":"/"},"token":""}`, "missing_member",
			"/token"},
		"an unknown member": {"", `{"tokens":"` + rawToken + `"}`, "unknown_member", "/tokens"},
		"an unknown member of the request": {"", `{"request":{"method":"GET","url":"/",` + headers + `,"path":"/"}}`,
			"unknown_member", "/request/path"},
		"a member in capitals": {"", `{"Request":{}}`, "unknown_member", "/Request"},
		"a member twice": {"", `{"token":"` + rawToken + `","token":"b"}`, "duplicate_member",
			"/token"},
		"a member of the request twice": {"", `{"request":{"method":"GET","method":"PUT","url":"/"}}`,
			"duplicate_member", "/request/method"},
		"a header twice": {"",
			`{"request":{"method":"GET","url":"/","headers":{"a":["1"],"a":["2"]}}}`, "duplicate_member",
			"/request/headers/a"},
		"a member of the context twice": {"",
			`{"request":{"method":"GET","url":"/"},"context":{"a":{"b":1,"b":2}}}`, "duplicate_member",
			"/context/a/b"},
		"the request is text": {"", `{"request":"` + rawToken + `"}`, "wrong_type", "/request"},
		"the method is a number": {"", `{"request":{"method":1,"url":"/"}}`, "wrong_type",
			"/request/method"},
		"a header is text": {"",
			`{"request":{"method":"GET","url":"/","headers":{"authorization":"Bearer ` + rawToken + `"}}}`,
			"wrong_type", "/request/headers/authorization"},
		"a value of a header is a number": {"", `{"request":{"method":"GET","url":"/","headers":{"a":["1",2]}}}`,
			"wrong_type", "/request/headers/a/1"},
		"the token is an object": {"", `{"token":{"a":"` + rawToken + `"}}`, "wrong_type", "/token"},
		"the context is text": {"", `{"request":{"method":"GET","url":"/"},"context":"` + rawToken + `"}`,
			"wrong_type", "/context"},
		"a body of a number": {"", `{"request":{"method":"GET","url":"/","body":1}}`, "wrong_type",
			"/request/body"},
		"a number that no policy reads": {"",
			`{"request":{"method":"GET","url":"/"},"context":{"a/b":[1,1e999999999]}}`, "number_out_of_range",
			"/context/a~1b/1"},
		"such a number in a batch": {"/batch",
			`{"items":[{"request":{"method":"GET","url":"/"}},{"request":{"method":"GET","url":"/"},"context":{"n":-1e-999999}}]}`, "number_out_of_range", "/items/1/context/n"},
		"such a number in the defaults": {"/batch",
			`{"context":{"n":1e999999},"items":[{"request":{"method":"GET","url":"/"}}]}`, "number_out_of_range",
			"/context/n"},
		"a context that nests too deep": {"", `{"request":{"method":"GET","url":"/"},"context":` +
			strings.Repeat(`{"a":`, 64) + "{}" + strings.Repeat("}", 65), "too_deep", "/context"},
		"a batch without items": {"/batch", `{"request":{"method":"GET","url":"/"}}`, "missing_member",
			"/items"},
		"a batch of no items":   {"/batch", `{"items":[]}`, "missing_member", "/items"},
		"a batch of one object": {"/batch", `{"items":{}}`, "wrong_type", "/items"},
		"an item without request": {"/batch", `{"items":[{"request":{"method":"GET","url":"/"}},{}]}`,
			"missing_member", "/items/1/request"},
		"an item that is null": {"/batch", `{"items":[null]}`, "missing_member", "/items/0/request"},
		"an item without URL": {"/batch", `{"items":[{"request":{"method":"GET"}}]}`, "missing_member",
			"/items/0/request/url"},
		"an item of the wrong type": {"/batch",
			`{"items":[{"request":{"method":"GET","url":"/"}},{"request":{"method":1}}]}`, "wrong_type",
			"/items/1/request/method"},
		"an item with an unknown member": {"/batch", `{"items":[{"items":[]}]}`, "unknown_member", "/items/0/items"},
		"an item with a token twice": {"/batch", `{"items":[{"token":"` + rawToken + `","token":"b"}]}`,
			"duplicate_member", "/items/0/token"},
		"an item with a context of text": {"/batch",
			`{"items":[{"request":{"method":"GET","url":"/"},"context":"a"}]}`, "wrong_type", "/items/0/context"},
		"a default context of text": {"/batch",
			`{"context":"a","items":[{"request":{"method":"GET","url":"/"}}]}`, "wrong_type", "/context"},
		"a default request without URL": {"/batch", `{"request":{"method":"GET"},"items":[{}]}`, "missing_member",
			"/request/url"},
		"a default token that is empty": {"/batch", `{"token":"","items":[{"request":{"method":"GET","url":"/"}}]}`,
			"missing_member", "/token"},
		"a batch with an unknown member": {"/batch", `{"item":[]}`, "unknown_member", "/item"},
		"a token in the place of a name": {"", `{"` + signedToken + `":1}`, "unknown_member", ""},
		"the same, longer than a name": {"", `{"request":{"method":"GET","url":"/","` + strings.Repeat("a", 43) +
			`":1}}`, "unknown_member", "/request"},
		"a token as a header twice": {"", `{"request":{"method":"GET","url":"/","headers":{"` + signedToken +
			`":[],"` + signedToken + `":[]}}}`, "duplicate_member", "/request/headers"},
		"another entrypoint, no question": {"/authz/no", `{}`, "missing_member", "/request"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := s.post(t, "/v1/decisions"+c.path, c.body)
			expectError(t, resp, body, http.StatusBadRequest, c.code, c.pointer)
		})
	}
}

func TestLimits(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	t.Run("a body of just the limit is read", func(t *testing.T) {
		body := `{"request":{"method":"GET","url":"/"}}`
		s.decided(t, "/v1/decisions", body+strings.Repeat(" ", 4096-len(body)))
	})
	t.Run("a body over the limit is 413", func(t *testing.T) {
		body := `{"request":{"method":"GET","url":"/"}}`
		resp, text := s.post(t, "/v1/decisions", body+strings.Repeat(" ", 4097-len(body)))
		expectError(t, resp, text, http.StatusRequestEntityTooLarge, "body_too_large", "")
	})
	t.Run("a batch over the limit is 413", func(t *testing.T) {
		resp, text :=
			s.post(t, "/v1/decisions/batch", `{"request":{"method":"GET","url":"/"},"items":[{},{},{},{},{},{}]}`)
		expectError(t, resp, text, http.StatusRequestEntityTooLarge, "batch_too_large", "/items")
	})
	t.Run("headers over the limit are 431", func(t *testing.T) {
		resp, _ := s.do(t, "GET", "/livez", "", http.Header{"X-Long": {strings.Repeat("a", 16<<10)}})
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered %s", resp.Status)
		}
	})
}

func TestContentTypes(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	const body = `{"request":{"method":"GET","url":"/"}}`
	for _, ct := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		if resp, text := s.do(t, "POST", "/v1/decisions", body,
			http.Header{"Content-Type": {ct}}); resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", ct, resp.Status, text)
		}
	}
	for _, h := range []http.Header{
		{}, {"Content-Type": {"text/plain"}}, {"Content-Type": {"application/x-www-form-urlencoded"}},
		{"Content-Type": {";"}},
		{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}},
	} {
		resp, text := s.do(t, "POST", "/v1/decisions", body, h)
		expectError(t, resp, text, http.StatusUnsupportedMediaType, "unsupported_media_type", "")
	}
}

func TestUnknownPathsAndMethodsAreRefused(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/v1/decisions", 405, "method_not_allowed", "OPTIONS, POST"},
		{"PUT", "/v1/decisions/batch", 405, "method_not_allowed", "OPTIONS, POST"},
		{"POST", "/livez", 405, "method_not_allowed", "OPTIONS, GET, HEAD"},
		{"GET", "/v1", 404, "not_found", ""},
		{"POST", "/metrics", 404, "not_found", ""},
		{"POST", "/v1/decisions/authz/unheard_of", 404, "unknown_entrypoint", ""},
		{"POST", "/v1/decisions/authz%252Fdecision", 404, "unknown_entrypoint", ""},
		{"POST", "/v1/decisions/authz/decision/", 404, "unknown_entrypoint", ""},
		{"POST", "/v1/decisions/batch/", 404, "unknown_entrypoint", ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			resp, body := s.do(t, c.method, c.path, `{}`, http.Header{"Content-Type": {"application/json"}})
			expectError(t, resp, body, c.status, c.code, "")
			if got := resp.Header.Get("Allow"); got != c.allow {
				t.Errorf("Allow %q, want %q", got, c.allow)
			}
		})
	}
}

func TestASlowBodyIsRefused(t *testing.T) {
	cfg := listener()
	cfg.Limits.ReadTimeout = 100 * time.Millisecond
	s := serve(t, cfg, native.Deps{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+
		"application/json\r\nContent-Length: 100\r\n\r\n{\"token\":\"%s", rawToken)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	expectError(t, resp, string(buf), http.StatusRequestTimeout, "body_too_slow", "")
}

func TestAnIncompleteBodyIsRefused(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+
		"application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	expectError(t, resp, string(buf), http.StatusBadRequest, "incomplete_body", "")
}

func TestCallHasATimeLimit(t *testing.T) {
	cfg := listener()
	cfg.Limits.Timeout = 50 * time.Millisecond
	p := point{func(ctx context.Context, _ authz.Query) authz.Decision {
		if ends, ok := ctx.Deadline(); !ok || time.Until(ends) > cfg.Limits.Timeout {
			t.Errorf("the call may take until %s", ends)
		}
		<-ctx.Done()
		return authz.Decision{Kind: authz.Unavailable, Status: 503}
	}}
	s := serve(t, cfg, native.Deps{Point: p})
	if got := s.decided(t, "/v1/decisions", `{"request":{"method":"GET","url":"/"}}`); got.Kind != "unavailable" ||
		got.Status != 503 {
		t.Errorf("answered %+v", got)
	}
	resp, _ := s.post(t, "/v1/decisions/batch", `{"items":[{"request":{"method":"GET","url":"/"}}]}`)
	if resp.StatusCode != 200 {
		t.Errorf("the batch was answered %s", resp.Status)
	}
}

func TestAContextThatNestsTooDeepIsRefused(t *testing.T) {
	call := func(depth int) error {
		context := strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
		_, err := native.ParseCall([]byte(`{"request":{"method":"GET","url":"/"},"context":` + context + `}`))
		return err
	}
	if err := call(64); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := call(65); err == nil || !strings.Contains(err.Error(), "/context") {
		t.Errorf("beyond it: %v", err)
	}
}
