package sidecartest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

// TestQuestionsAreReadAsTheSidecarReadsThem compares the double with the door of the sidecar: each takes what the
// other takes.
func TestQuestionsAreReadAsTheSidecarReadsThem(t *testing.T) {
	for _, body := range []string{
		`{"request":{"method":"GET","url":"/a"}}`,
		`{"request":{"method":"GET","url":"/a","headers":{"a":["1","2"],"B":[]},"source_ip":"::1","body":"x"}}`,
		`{"request":{"method":"GET","url":"/a","client_certificate":"x"},"token":"t","context":{"a":[1,null]}}`,
		`{"request":{"method":"GET","url":"/a","headers":null,"body":null},"token":null,"context":null}`,
		`{"request":{"method":"GET","url":"/a","headers":{"a":null}}}`,
		`{"request":{"method":"GET","url":"/a","headers":{"a":"1"}}}`,
		`{"request":{"method":"GET","url":"/a","headers":{"a":[1]}}}`,
		`{"request":{"method":"GET","url":"/a","headers":[]}}`,
		`{"request":{"method":"GET","url":"/a","sourceIp":"::1"}}`,
		`{"request":{"method":"GET","URL":"/a"}}`,
		`{"request":{"method":"GET","url":"/a","url":"/b"}}`,
		`{"request":{"method":"","url":"/a"}}`, `{"request":{"method":"GET"}}`,
		`{"request":{"method":null,"url":"/a"}}`,
		`{"request":{"method":1,"url":"/a"}}`, `{"request":[]}`, `{"request":null}`, `{}`, `null`, `[]`, ``, `{`,
		`true`,
		`{"request":{"method":"GET","url":"/a"}} x`, `{"request":{"method":"GET","url":"/a"}}{}`,
		`{"request":{"method":"GET","url":"/a"},"token":""}`, `{"request":{"method":"GET","url":"/a"},"token":{}}`,
		`{"request":{"method":"GET","url":"/a"},"context":[]}`,
		`{"request":{"method":"GET","url":"/a"},"context":"x"}`,
		`{"request":{"method":"GET","url":"/a"},"input":{}}`, "{\"request\":{\"method\":\"GET\",\"url\":\"/\xff\"}}",
		`{"request":{"method":"GET","url":"/a"},"context":{"a":1,"a":2}}`,
	} {
		_, err := native.ParseCall([]byte(body))
		s := sidecartest.Start(sidecartest.On("**", sidecartest.Allow()))
		status := post(t, s.URL+"/v1/decisions", "application/json", body)
		if s.Close(); (status == http.StatusOK) != (err == nil) || (len(s.Faults()) == 0) != (err == nil) {
			t.Errorf("%s: the double says %d %v, the sidecar %v", body, status, s.Faults(), err)
		}
	}
}

func post(t *testing.T, url, contentType, body string) int {
	t.Helper()
	resp, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestACallThatIsNoQuestionIsAFault(t *testing.T) {
	s := sidecartest.Start()
	defer s.Close()
	for _, c := range []struct {
		path, contentType string
		want              int
	}{
		{"/v1/decision", "application/json", 404},
		{"/v1/decisions", "text/plain", 415},
		{"/v1/decisions/batch", "application/json", 400},
	} {
		if got := post(t, s.URL+c.path, c.contentType, `{}`); got != c.want {
			t.Errorf("%s: %d, want %d", c.path, got, c.want)
		}
	}
	resp, err := http.Get(s.URL + "/v1/decisions")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || len(s.Faults()) != 4 {
		t.Errorf("%d, %v", resp.StatusCode, s.Faults())
	}
}

// recorder takes the place of the test that uses a double.
type recorder struct {
	testing.TB
	failed   []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, _ ...any) { r.failed = append(r.failed, format) }
func (r *recorder) Cleanup(f func())               { r.cleanups = append(r.cleanups, f) }

func TestAFaultFailsTheTestThatUsesTheDouble(t *testing.T) {
	r := &recorder{TB: t}
	s := sidecartest.New(r)
	post(t, s.URL+"/v1/decisions", "application/json", `{"request":{"method":"GET","url":"/a","sourceIp":"::1"}}`)
	for _, f := range r.cleanups {
		f()
	}
	if len(r.failed) != 1 {
		t.Errorf("failures: %q", r.failed)
	}
}

func TestABatchFillsItemsFromItsDefaults(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("**", sidecartest.Allow()))
	post(t, s.URL+"/v1/decisions/batch", "application/json",
		`{"token":"t","request":{"method":"GET","url":"/a"},"items":[{},{"request":{"method":"PUT","url":"/b"},"token":"u"}]}`)
	qs := s.Questions()
	if len(qs) != 2 || qs[0].Token != "t" || qs[0].URL != "/a" || qs[1].Token != "u" || qs[1].Method != "PUT" {
		t.Errorf("questions: %+v", qs)
	}
}

func TestRulesMatchInTheirOrder(t *testing.T) {
	s := sidecartest.New(t,
		sidecartest.On("GET /orders/*", sidecartest.Allow("X-Subject", "alice")),
		sidecartest.Rule{Path: "/private/**", Token: "good", Decision: sidecartest.Allow()},
		sidecartest.On("/private/**", sidecartest.Deny(401, "no_credential", "a token is needed")),
		sidecartest.On("/obliged", sidecartest.Oblige(sidecartest.Allow(), "watermark")),
	)
	c := s.Client()
	ask := func(method, url, authorization string) sidecarclient.Decision {
		r := sidecarclient.Request{Method: method, URL: url, Headers: http.Header{}}
		if authorization != "" {
			r.Headers.Set("Authorization", authorization)
		}
		d, err := c.Decide(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, q := range []struct {
		method, url, authorization string
		want                       int
	}{
		{"GET", "/orders/42?x=1", "", 200}, {"GET", "https://api.example/orders/42", "", 200},
		{"GET", "/orders/", "", 403},
		{"GET", "/orders/4/2", "", 403}, {"GET", "/orders%2F42", "", 403}, {"PUT", "/orders/42", "", 403},
		{"GET", "/private/a/b", "Bearer good", 200}, {"GET", "/private/a", "DPoP good", 200},
		{"GET", "/private/a", "Bearer bad", 401}, {"GET", "/private/a", "", 401},
		{"GET", "/private", "Bearer good", 403},
	} {
		if d := ask(q.method, q.url, q.authorization); d.Status != q.want || d.Allow != (q.want == 200) {
			t.Errorf("%+v: %+v", q, d)
		}
	}
	if d := ask("GET", "/obliged", ""); len(d.Obligations) != 1 || d.Obligations[0].Type != "watermark" {
		t.Errorf("obligations: %+v", d.Obligations)
	}
	if d := ask("GET", "/orders/1", ""); d.UpstreamHeaders.Get("X-Subject") != "alice" {
		t.Errorf("upstream headers: %v", d.UpstreamHeaders)
	}
	s.Rules()
	if d := ask("GET", "/orders/1", ""); d.Allow || d.Reasons[0].Code != "no_rule" {
		t.Errorf("without rules: %+v", d)
	}
}

func TestFaultsAreNoDecisions(t *testing.T) {
	s := sidecartest.New(t)
	client, err := sidecarclient.New(sidecarclient.Config{Address: s.URL, Timeout: 50e6})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []sidecartest.Fault{sidecartest.Hangs, sidecartest.Breaks, sidecartest.Fails} {
		s.Rules(sidecartest.Rule{Decision: sidecartest.Allow(), Fault: f})
		d, err := client.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/"})
		var down *sidecarclient.UnavailableError
		if d.Allow || !errors.As(err, &down) || f == sidecartest.Hangs && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %+v, %v", f, d, err)
		}
	}
	s.Close()
	if _, err := client.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/"}); err == nil {
		t.Error("a sidecar that is closed answers")
	}
}
