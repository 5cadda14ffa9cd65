package native

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// decided is a Point that has decided beforehand, so that what is measured is the door alone.
type decided struct{ d authz.Decision }

func (p *decided) Decide(context.Context, authz.Query) authz.Decision { return p.d }
func (p *decided) DecideAll(_ context.Context, qs []authz.Query) []authz.Decision {
	return make([]authz.Decision, len(qs))
}
func (*decided) Callable(string) bool { return true }

func allowed() *decided {
	return &decided{authz.Decision{ID: "01JDR4M8S0000000000000000A", Kind: authz.Allow, Status: http.StatusOK,
		Policy: authz.PolicyRef{Path: "authz/decision", Revision: "v1.4.2",
			Digest: "sha256:" + strings.Repeat("0123456789abcdef", 4)}}}
}

// ordinaryCall is a question with a token of 43 characters, as a client of a Go service asks it.
var ordinaryCall = []byte(
	`{"request":{"headers":{"authorization":["Bearer 4JQmB0wH5m3Ye0vN4mT0m2i0K9yTzX3yYQ1pW7dZb1c"],` +
		`"x-tenant":["acme"]},"method":"GET","url":"https://api.acme.example/orders/42"}}`)

// sink is a ResponseWriter that keeps nothing, for many calls.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header       { return s.header }
func (*sink) WriteHeader(int)             {}
func (*sink) Write(b []byte) (int, error) { return len(b), nil }

// caller makes the same call again and again.
type caller struct {
	h    http.Handler
	r    *http.Request
	w    sink
	body *bytes.Reader
	sent []byte
}

func newCaller(h http.Handler, body []byte) *caller {
	c := &caller{h: h, body: bytes.NewReader(body), sent: body, w: sink{http.Header{}}}
	c.r = httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8181/v1/decisions", nil)
	c.r.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"},
		"Accept-Encoding": {"gzip"}}
	c.r.Body, c.r.ContentLength = io.NopCloser(c.body), int64(len(body))
	return c
}

func (c *caller) call() {
	c.body.Reset(c.sent)
	clear(c.w.header)
	c.h.ServeHTTP(&c.w, c.r)
}

func costlyLimits() listen.Limits {
	return listen.Limits{BodyBytes: 1 << 20, HeaderBytes: 64 << 10, BatchItems: 100, ReadTimeout: 10 * time.Second,
		Timeout: 10 * time.Second, IdleTimeout: time.Minute}
}

func apiHandler(tb testing.TB, p Point) http.Handler {
	tb.Helper()
	cfg := listen.Config{Address: "127.0.0.1:8181", Limits: costlyLimits()}
	on := listen.Deps{Name: "api", Log: slog.New(slog.DiscardHandler), Calls: new(listen.Calls)}
	h, err := handler(cfg, "api", addAPI,
		Deps{Point: p, Status: func() status.Report { return status.Report{} }}, on)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// floor is the least that echo does for a POST: what internal/bench/floor serves.
func floor() http.Handler {
	e := echo.New()
	answer := []byte(`{"allow":true}`)
	e.POST("/v1/decisions", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, answer) })
	return e
}

// What the door itself allocates for a call. A change that needs more has a reason for it.
func TestACallAllocatesLittle(t *testing.T) {
	testkit.WithinAllocations(t, 7, newCaller(apiHandler(t, allowed()), ordinaryCall).call)
}

func BenchmarkFloor(b *testing.B)    { benchmark(b, floor()) }
func BenchmarkDecision(b *testing.B) { benchmark(b, apiHandler(b, allowed())) }

func benchmark(b *testing.B, h http.Handler) {
	c := newCaller(h, ordinaryCall)
	b.ReportAllocs()
	for b.Loop() {
		c.call()
	}
}

// TestAnAnswerNamesThePolicyThatDecided: what is kept of one reference must not stand for another.
func TestAnAnswerNamesThePolicyThatDecided(t *testing.T) {
	first := authz.PolicyRef{Path: "authz/decision", Revision: "v1", Digest: "sha256:1", Bundles: []byte(`{"a":1}`)}
	refs := []authz.PolicyRef{first}
	for _, change := range []func(*authz.PolicyRef){
		func(p *authz.PolicyRef) { p.Path = "authz/other" },
		func(p *authz.PolicyRef) { p.Revision = "v2" },
		func(p *authz.PolicyRef) { p.Digest = "sha256:2" },
		func(p *authz.PolicyRef) { p.Bundles = []byte(`{"b":1}`) },
		func(p *authz.PolicyRef) { p.Bundles = []byte{} },
		func(p *authz.PolicyRef) { p.Bundles = nil },
	} {
		p := first
		change(&p)
		refs = append(refs, p)
	}
	var kept policyRefs
	for i := range refs {
		for j := range refs {
			for _, p := range []authz.PolicyRef{refs[i], refs[j]} {
				d := allowed().d
				d.Policy = p
				if got, want := kept.appendDecision(nil, &d), AppendDecision(nil, d); !bytes.Equal(got, want) {
					t.Errorf("answered %s, want %s", got, want)
				}
			}
		}
	}
}
