package app

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// fault makes every introspection request go wrong in the same way; nil ends it.
func (w *world) fault(f *devissuer.Fault) { authserver.FailIntrospection(w.issuer, f) }

// TestOneColdTokenIsAskedAboutOnce: 500 callers with one token that is not cached, and a server that takes its
// time. The caller whose question it was leaves while all the others wait for the answer.
func TestOneColdTokenIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.ask(t, w.token(t, good())) // the endpoint is known
	before := w.issuer.Calls()
	tok := w.token(t, good())
	arrived, release := make(chan struct{}, 500), make(chan struct{})
	w.issuer.SetFault(func(*http.Request) *devissuer.Fault {
		arrived <- struct{}{}
		<-release
		return &devissuer.Fault{Delay: 3 * time.Second} // for a caller that has yet to join the others
	})

	first, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := w.try(first, tok); left <- err }()
	<-arrived
	var callers sync.WaitGroup
	answers, errs := make([]answer, 499), make([]error, 499)
	for i := range answers {
		callers.Go(func() { answers[i], errs[i] = w.try(t.Context(), tok) })
	}
	testkit.Eventually(t, "all callers wait", func() bool {
		return strings.Contains(w.get(t, "/metrics"),
			`sidecar_introspect_cache_lookups_total{cache="active",issuer="dev",result="miss"} 501`)
	})
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the first caller left with %v", err)
	}
	close(release)
	callers.Wait()
	for i := range answers {
		if errs[i] != nil || !answers[i].Allow {
			t.Fatalf("caller %d got %v, %v", i, answers[i], errs[i])
		}
	}
	if n := w.issuer.Calls() - before; n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}

// TestFailuresOfTheAuthorizationServer: each ends as the right kind, and nothing wrong is kept, though answers are
// kept for a minute: the same token is good again as soon as the server is.
func TestFailuresOfTheAuthorizationServer(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Cache.TTL, c.Issuers[0].Cache.NegativeTTL = time.Minute, time.Minute
	})
	redirect, bomb := authserver.Answer(302, "text/html", ""),
		authserver.Answer(200, "", string(testkit.Gzip(t, make([]byte, 20<<20))))
	bomb.Header = http.Header{"Content-Encoding": {"gzip"}}
	redirect.Header = http.Header{"Location": {w.api + "/v1/status"}}
	for name, c := range map[string]struct {
		fault  *devissuer.Fault
		kind   string
		status int
		code   string
	}{
		"it hangs up": {&devissuer.Fault{Then: devissuer.Close}, "unavailable", 503,
			"temporarily_unavailable"},
		"401": {authserver.Answer(401, "", `{"error":"invalid_client"}`), "misconfigured", 503,
			"misconfigured"},
		"401 with HTML": {authserver.Answer(401, "text/html", "<html>"), "misconfigured", 503,
			"misconfigured"},
		"500": {authserver.Answer(500, "", ""), "unavailable", 503, "temporarily_unavailable"},
		"HTML": {authserver.Answer(200, "text/html", "<html>"), "unavailable", 503,
			"temporarily_unavailable"},
		"HTML that calls itself JSON": {authserver.Answer(200, "", "<html>"), "unavailable", 503,
			"temporarily_unavailable"},
		"an empty object": {authserver.Answer(200, "", "{}"), "unavailable", 503,
			"temporarily_unavailable"},
		"active in quotes": {authserver.Answer(200, "", `{"active":"true"}`), "unavailable", 503,
			"temporarily_unavailable"},
		"active twice": {authserver.Answer(200, "", `{"active":false,"active":true}`), "unavailable",
			503, "temporarily_unavailable"},
		"10 MB": {authserver.Answer(200, "",
			`{"active":true,"pad":"`+strings.Repeat("a", 10<<20)+`"}`), "unavailable", 503, "temporarily_unavailable"},
		"a gzip bomb": {bomb, "unavailable", 503, "temporarily_unavailable"},
		"a redirect":  {redirect, "misconfigured", 503, "misconfigured"},
		"active, with a past exp": {authserver.Answer(200, "", `{"active":true,"exp":1000000000}`),
			"unauthenticated", 401, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			tok := w.token(t, good())
			w.fault(c.fault)
			if got := w.ask(t, tok); !got.is(c.kind, c.status, c.code) {
				t.Errorf("got %v, want %s %d %s", got, c.kind, c.status, c.code)
			}
			w.fault(nil)
			if got := w.ask(t, tok); !got.Allow {
				t.Errorf("something wrong was kept: %v", got)
			}
		})
	}
}

// TestAServerThatHangsIsUnavailable: a question ends at its timeout, and the same token is good once the server
// answers.
func TestAServerThatHangsIsUnavailable(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Endpoint.Timeout, c.Issuers[0].Cache.TTL, c.Issuers[0].Cache.NegativeTTL = 500*time.Millisecond,
			time.Minute, time.Minute
	})
	tok := w.token(t, good())
	w.fault(&devissuer.Fault{Then: devissuer.Hang})
	if got := w.ask(t, tok); !got.is("unavailable", 503, "temporarily_unavailable") {
		t.Errorf("got %v", got)
	}
	w.fault(nil)
	testkit.Eventually(t, "the token is good again", func() bool { return w.ask(t, tok).Allow })
}

func TestKnownTokensOutliveTheAuthorizationServer(t *testing.T) {
	w := start(t, nil)
	tok := w.token(t, good())
	if got := w.ask(t, tok); !got.Allow {
		t.Fatalf("got %v", got)
	}
	w.fault(&devissuer.Fault{Then: devissuer.Close})
	if got := w.ask(t, tok); !got.Allow {
		t.Errorf("a cached token got %v", got)
	}
	if got := w.ask(t, "unheard-of"); !got.is("unavailable", 503, "temporarily_unavailable") {
		t.Errorf("another token got %v", got)
	}
}
