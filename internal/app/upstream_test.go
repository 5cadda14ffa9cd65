package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

// fault makes every answer of the authorization server's introspection endpoint go wrong.
func (w *world) fault(f *devissuer.Fault) {
	w.issuer.SetFault(func(r *http.Request) *devissuer.Fault {
		if !strings.HasSuffix(r.URL.Path, "/introspect") {
			return nil
		}
		return f
	})
}

// TestOneColdTokenIsAskedAboutOnce: 500 callers with one token that nobody knows yet, and a server that takes its time.
// The caller whose question it was leaves while all the others wait for the answer.
func TestOneColdTokenIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) {
		c.Listen.API.Limits.Timeout, c.Listen.API.Limits.ReadTimeout = time.Minute, time.Minute
	})
	w.ask(t, w.token(t, good())) // the endpoint is known
	before := w.issuer.Calls()
	tok := w.token(t, good())
	arrived, release := make(chan struct{}, 500), make(chan struct{})
	w.issuer.SetFault(func(*http.Request) *devissuer.Fault {
		arrived <- struct{}{}
		<-release
		return &devissuer.Fault{Delay: 300 * time.Millisecond}
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
	until(t, "all callers wait", func() bool {
		return strings.Contains(w.get(t, "/metrics"), `sidecar_introspect_cache_lookups_total{cache="active",issuer="dev",result="miss"} 501`)
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

func says(status int, contentType, body string) *devissuer.Fault {
	return &devissuer.Fault{Then: devissuer.Answer, Status: status, ContentType: contentType, Body: []byte(body)}
}

func gzipped(t *testing.T, n int) *devissuer.Fault {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(bytes.Repeat([]byte(" "), n)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &devissuer.Fault{Then: devissuer.Answer, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: b.Bytes()}
}

// TestFailuresOfTheAuthorizationServer: each ends as the right kind, and nothing wrong is kept, though answers are kept
// for a minute: the same token is good again as soon as the server is.
func TestFailuresOfTheAuthorizationServer(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Cache.TTL, c.Issuers[0].Cache.NegativeTTL = time.Minute, time.Minute
	})
	redirect := says(302, "text/html", "")
	redirect.Header = http.Header{"Location": {w.api + "/v1/status"}}
	for name, c := range map[string]struct {
		fault  *devissuer.Fault
		kind   string
		status int
		code   string
	}{
		"it hangs up":                 {&devissuer.Fault{Then: devissuer.Close}, "unavailable", 503, "temporarily_unavailable"},
		"401":                         {says(401, "", `{"error":"invalid_client"}`), "misconfigured", 503, "misconfigured"},
		"401 with HTML":               {says(401, "text/html", "<html>"), "misconfigured", 503, "misconfigured"},
		"500":                         {says(500, "", ""), "unavailable", 503, "temporarily_unavailable"},
		"HTML":                        {says(200, "text/html", "<html>"), "unavailable", 503, "temporarily_unavailable"},
		"HTML that calls itself JSON": {says(200, "", "<html>"), "unavailable", 503, "temporarily_unavailable"},
		"an empty object":             {says(200, "", "{}"), "unavailable", 503, "temporarily_unavailable"},
		"active in quotes":            {says(200, "", `{"active":"true"}`), "unavailable", 503, "temporarily_unavailable"},
		"active twice":                {says(200, "", `{"active":false,"active":true}`), "unavailable", 503, "temporarily_unavailable"},
		"10 MB":                       {says(200, "", `{"active":true,"pad":"`+strings.Repeat("a", 10<<20)+`"}`), "unavailable", 503, "temporarily_unavailable"},
		"a gzip bomb":                 {gzipped(t, 20<<20), "unavailable", 503, "temporarily_unavailable"},
		"a redirect":                  {redirect, "misconfigured", 503, "misconfigured"},
		"active, with a past exp":     {says(200, "", `{"active":true,"exp":1000000000}`), "unauthenticated", 401, "invalid_token"},
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

// TestAServerThatHangsIsUnavailable: a question ends at its timeout, and the same token is good once the server answers.
func TestAServerThatHangsIsUnavailable(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Endpoint.Timeout, c.Issuers[0].Cache.TTL, c.Issuers[0].Cache.NegativeTTL = 500*time.Millisecond, time.Minute, time.Minute
	})
	tok := w.token(t, good())
	w.fault(&devissuer.Fault{Then: devissuer.Hang})
	if got := w.ask(t, tok); !got.is("unavailable", 503, "temporarily_unavailable") {
		t.Errorf("got %v", got)
	}
	w.fault(nil)
	until(t, "the token is good again", func() bool { return w.ask(t, tok).Allow })
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
