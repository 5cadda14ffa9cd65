package opa_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

// sent posts a body with headers, as name and value in turn.
func sent(target string, body []byte, headers ...string) *httptest.ResponseRecorder {
	m := opa.Mount(opa.Config{Enabled: true}, opa.Deps{Point: allows, Parse: native.ParseCall,
		Limits: listen.Limits{BodyBytes: 4096, BatchItems: 2, Timeout: time.Minute, ReadTimeout: time.Minute}})
	r := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	m.Handlers["opaData"].ServeHTTP(w, r)
	return w
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestACompressedBodyIsReadWithinTheLimit(t *testing.T) {
	const call = `{"input":` + asked + `}`
	whole := zipped(t, call)
	for _, c := range []struct {
		name, encoding string
		body           []byte
		want           int
		says           string
	}{
		{"as it is", "gzip", whole, 200, `"result":true`},
		{"two parts", "gzip", append(zipped(t, call[:9]), zipped(t, call[9:])...), 200, `"result":true`},
		{"too large inside", "gzip", zipped(t, strings.Repeat(" ", 5000)), 413, "over 4096 bytes"},
		{"endless and empty", "gzip", bytes.Repeat(zipped(t, ""), 1000), 413, "over 4096 bytes"},
		{"cut off", "gzip", whole[:len(whole)-9], 400, "not compressed by gzip"},
		{"not compressed", "gzip", []byte(call), 400, "not compressed by gzip"},
		{"no JSON inside", "gzip", zipped(t, "{"), 400, "cut off"},
		{"twice", "gzip, gzip", zipped(t, string(whole)), 415, "Content-Encoding: gzip, or without"},
		{"otherwise", "br", whole, 415, "Content-Encoding: gzip, or without"},
	} {
		w := sent("/v1/data/authz/decision", c.body, "Content-Type", "application/json",
			"Content-Encoding", c.encoding)
		if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s, want %d and %q", c.name, w.Code, w.Body, c.want, c.says)
		}
	}
}

func TestABodyOfYAMLIsReadAsTheJSONItStandsFor(t *testing.T) {
	laughs := "a: &a " + strings.Repeat("x", 400) + "\nb: [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	for body, want := range map[string]string{
		"input:\n  request: {method: GET, url: /orders/42}": "200 ",
		"input:\n  request: {method: GET}\n":                "400 /input/request/url",
		"input: {request: {}, request: {}}": "400 the body is not well-formed YAML at row 1, column " +
			"22\"",
		"input: [":                  "400 the body is not well-formed YAML",
		"input: &x {request: *x}":   "400 the body is not well-formed YAML",
		"input: {<<: {request: 1}}": "400 the body is not well-formed YAML",
		laughs:                      "413 the body is over 4096 bytes with its aliases",
		"":                          "400 ",
		"input: {token: {active: true}, request: {method: GET, url: /orders/42}}": "400 /input/token",
	} {
		for _, media := range []string{"application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"} {
			w := sent("/v1/data/authz/decision", []byte(body), "Content-Type", media)
			status, says, _ := strings.Cut(want, " ")
			if http.StatusText(w.Code) == "" || !strings.HasPrefix(status, w.Result().Status[:3]) ||
				!strings.Contains(w.Body.String(), says) {
				t.Errorf("%q as %s: %d %s, want %s", body, media, w.Code, w.Body, want)
			}
		}
	}
	w := sent("/v1/data/app/allow", []byte("input: {subject: ann}"), "Content-Type", "text/plain")
	if w.Code != 415 {
		t.Errorf("as text: %d %s", w.Code, w.Body)
	}
}
