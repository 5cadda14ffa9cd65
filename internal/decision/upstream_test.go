package decision_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

func mustNotHold(t *testing.T, what, text, secret string) {
	t.Helper()
	if strings.Contains(text, secret) {
		t.Errorf("the %s holds a credential", what)
	}
}

func gzipped(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(bytes.Repeat([]byte(" "), n)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestUpstreamFailures is the part of the table of failures that is the authorization server's. After each of them the
// server behaves again and the token must be let through: nothing wrong was cached.
func TestUpstreamFailures(t *testing.T) {
	html := authserver.Answer(200, "", "<html>sign in</html>")
	html.ContentType = "text/html"
	busy := authserver.Answer(503, "", "")
	busy.Header = http.Header{"Retry-After": {"2"}}
	moved := authserver.Answer(302, "", "")
	moved.Header = http.Header{"Location": {"https://elsewhere.example/introspect"}}
	bomb := authserver.Answer(200, "", "")
	bomb.Header, bomb.Body = http.Header{"Content-Encoding": {"gzip"}}, gzipped(t, 10<<20)

	for name, c := range map[string]struct {
		fault *devissuer.Fault
		kind  authz.Kind
		code  string
		retry string
	}{
		"the credentials are refused": {authserver.Answer(401, "", `{"error":"invalid_client"}`), authz.Misconfigured,
			"misconfigured", ""},
		"we are forbidden": {authserver.Answer(403, "", ""), authz.Misconfigured, "misconfigured", ""},
		"we are an unauthorized client": {authserver.Answer(400, "", `{"error":"unauthorized_client"}`),
			authz.Misconfigured,
			"misconfigured", ""},
		"the request is invalid": {authserver.Answer(400, "", `{"error":"invalid_request"}`), authz.Misconfigured,
			"misconfigured", ""},
		"a redirect is not followed": {moved, authz.Misconfigured, "misconfigured", ""},
		"a server error": {authserver.Answer(500, "", ""), authz.Unavailable,
			"temporarily_unavailable", "1"},
		"a busy server says when to come": {busy, authz.Unavailable, "temporarily_unavailable", "2"},
		"a closed connection": {&devissuer.Fault{Then: devissuer.Close}, authz.Unavailable,
			"temporarily_unavailable", "1"},
		"no answer in time": {&devissuer.Fault{Then: devissuer.Hang}, authz.Unavailable,
			"temporarily_unavailable", "1"},
		"HTML":                 {html, authz.Unavailable, "temporarily_unavailable", "1"},
		"text that is no JSON": {authserver.Answer(200, "", "{"), authz.Unavailable, "temporarily_unavailable", "1"},
		"10 MB": {authserver.Answer(200, "", strings.Repeat(" ", 10<<20)), authz.Unavailable,
			"temporarily_unavailable", "1"},
		"a gzip bomb":          {bomb, authz.Unavailable, "temporarily_unavailable", "1"},
		"INT6 an empty object": {authserver.Answer(200, "", "{}"), authz.Unavailable, "temporarily_unavailable", "1"},
		"INT6 an error in a 200": {authserver.Answer(200, "", `{"error":"server_error"}`), authz.Unavailable,
			"temporarily_unavailable", "1"},
		"INT6 the text true is not true": {authserver.Answer(200, "", `{"active":"true"}`), authz.Unavailable,
			"temporarily_unavailable", "1"},
		"INT6 the number 1 is not true": {authserver.Answer(200, "", `{"active":1}`), authz.Unavailable,
			"temporarily_unavailable",
			"1"},
		"active and long past exp": {authserver.Answer(200, "", `{"active":true,"exp":1000000}`),
			authz.Unauthenticated,
			"invalid_token", ""},
		"INT8b the token is not valid": {authserver.Answer(400, "", `{"error":"invalid_token"}`),
			authz.Unauthenticated,
			"invalid_token", ""},
		"INT8b this kind of token is not ok": {authserver.Answer(400, "", `{"error":"unsupported_token_type"}`),
			authz.Unauthenticated,
			"invalid_token", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hangs := c.fault.Then == devissuer.Hang
			w := build(t, plan{answers: pass, ttl: time.Hour, issuer: func(c *issuer.Config) {
				c.Endpoint.Timeout, c.Cache.NegativeTTL = 20*time.Second, 0
				if hangs {
					c.Endpoint.Timeout = 2 * time.Second
				}
			}})
			tok := w.grant(t, devissuer.Grant{})
			w.issuer.SetFault(func(*http.Request) *devissuer.Fault { return c.fault })
			d := w.ask(t, "open", "Bearer "+tok)
			w.expect(t, d, c.kind, statusOf(c.kind), c.code)
			if got := strings.Join(header(d, "Retry-After"), ","); got != c.retry {
				t.Errorf("Retry-After %q, want %q", got, c.retry)
			}
			if wanted := c.kind == authz.Unauthenticated; (challenges(d) != nil) != wanted {
				t.Errorf("challenges %q", challenges(d))
			}
			alarmed := w.logger.Has("decision refused") && w.logger.Has(d.ID)
			if alarmed != (c.kind != authz.Unauthenticated) {
				t.Errorf("the operator was told: %t", alarmed)
			}
			w.issuer.SetFault(nil)
			if c.fault == busy {
				testkit.Eventually(t, "the server is asked again",
					func() bool { return w.ask(t, "open", "Bearer "+tok).Kind == authz.Allow })
			}
			w.expect(t, w.ask(t, "open", "Bearer "+tok), authz.Allow, http.StatusOK)
			mustNotHold(t, "decision log", w.close(t), tok)
			mustNotHold(t, "logger", w.logger.String(), tok)
		})
	}
}

// statusOf is the status of refusals over a token, whose server is at fault when the sidecar is misconfigured.
func statusOf(k authz.Kind) int {
	if k == authz.Unauthenticated {
		return http.StatusUnauthorized
	}
	return http.StatusServiceUnavailable
}

func TestConnectionRefusedIsUnavailable(t *testing.T) {
	w := build(t,
		plan{answers: pass, issuer: func(c *issuer.Config) {
			c.Endpoint.IntrospectionEndpoint = "http://127.0.0.1:1/introspect"
		}})
	w.expect(t, w.ask(t, "open", "Bearer abc"), authz.Unavailable, http.StatusServiceUnavailable,
		"temporarily_unavailable")
}

func TestTooManyQuestionsAreUnavailable(t *testing.T) {
	w := build(t, plan{answers: pass, issuer: func(c *issuer.Config) { c.MaxInFlight = 1 }})
	held, release := make(chan struct{}, 1), make(chan struct{})
	w.issuer.SetFault(func(*http.Request) *devissuer.Fault {
		held <- struct{}{}
		<-release
		return nil
	})
	first := make(chan authz.Decision)
	go func() { first <- w.ask(t, "open", "Bearer one") }()
	<-held
	w.expect(t, w.ask(t, "open", "Bearer two"), authz.Unavailable, http.StatusServiceUnavailable,
		"temporarily_unavailable")
	close(release)
	w.expect(t, <-first, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
}

func TestACallThatTheCallerEndsIsUnavailable(t *testing.T) {
	w := build(t, plan{answers: pass})
	ctx, leave := context.WithCancel(t.Context())
	w.issuer.SetFault(func(*http.Request) *devissuer.Fault { leave(); return &devissuer.Fault{Then: devissuer.Hang} })
	d := w.point.Decide(ctx, question("open", "Bearer abc"))
	w.expect(t, d, authz.Unavailable, http.StatusServiceUnavailable, "temporarily_unavailable")
}

// introspectorFunc is an introspector that does what a test says.
type introspectorFunc func(context.Context, introspect.Question) (*authz.Claims, error)

func (f introspectorFunc) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	return f(ctx, q)
}

func instead(f introspectorFunc) func(introspect.Introspector) introspect.Introspector {
	return func(introspect.Introspector) introspect.Introspector { return f }
}

func TestPanicIsInternalAndTold(t *testing.T) {
	w := build(t,
		plan{answers: pass, wrap: instead(func(_ context.Context, q introspect.Question) (*authz.Claims, error) {
			panic("cannot bear " + q.Token.Reveal())
		})})
	d := w.ask(t, "open", "Bearer the-raw-token")
	w.expect(t, d, authz.Internal, http.StatusInternalServerError, "internal_error")
	if !w.logger.Has("decision panicked") || !w.logger.Has(d.ID) || !w.logger.Has("upstream_test.go") {
		t.Errorf("the operator is told %s", w.logger)
	}
	mustNotHold(t, "logger", w.logger.String(), "the-raw-token")
	mustNotHold(t, "decision log", w.close(t), "the-raw-token")
}

func TestRuntimePanicSaysWhatItWas(t *testing.T) {
	w := build(t,
		plan{answers: pass, wrap: instead(func(context.Context, introspect.Question) (*authz.Claims,
			error) {
			return nil, nil
		})})
	w.expect(t, w.ask(t, "open", "Bearer abc"), authz.Internal, http.StatusInternalServerError, "internal_error")
	if !w.logger.Has("nil pointer dereference") {
		t.Errorf("the operator is told %s", w.logger)
	}
}

func TestUnclassifiedErrorIsInternal(t *testing.T) {
	w := build(t,
		plan{answers: pass, wrap: instead(func(context.Context, introspect.Question) (*authz.Claims,
			error) {
			return nil, errors.New("what now")
		})})
	w.expect(t, w.ask(t, "open", "Bearer abc"), authz.Internal, http.StatusInternalServerError, "internal_error")
}

func TestWithoutAuthorizationServerTokensAreMisconfigured(t *testing.T) {
	w := build(t, plan{answers: pass})
	w.point.Swap(&decision.Snapshot{Policy: w.point.Snapshot().Policy})
	w.expect(t, w.ask(t, "open", "Bearer abc"), authz.Misconfigured, http.StatusServiceUnavailable, "misconfigured")
	for _, d := range w.point.DecideAll(t.Context(), slices.Repeat([]authz.Query{question("open", "Bearer abc")}, 2)) {
		w.expect(t, d, authz.Misconfigured, http.StatusServiceUnavailable, "misconfigured")
	}
}

func TestINT12_TooManyUnknownTokensGetRetryAfter(t *testing.T) {
	w := build(t, plan{answers: pass, issuer: func(c *issuer.Config) {
		c.Protection.UnknownTokens,
			c.Cache.NegativeTTL = 0.1, 0
	}})
	w.expect(t, w.ask(t, "open", "Bearer guess"), authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
	d := w.ask(t, "open", "Bearer another")
	w.expect(t, d, authz.Unavailable, http.StatusTooManyRequests, "too_many_unknown_tokens")
	if got := strings.Join(header(d, "Retry-After"), ","); got != "10" || challenges(d) != nil {
		t.Errorf("Retry-After %q, challenges %q", got, challenges(d))
	}
}
