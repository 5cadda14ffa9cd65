package issuer

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// twice asks twice and reports how often the server was reached.
func twice(t *testing.T, u *upstream, i *Issuer, ask func()) int64 {
	t.Helper()
	ask()
	ask()
	return u.calls.Load()
}

func TestAnswersThatAreNoAnswerAreErrorsAndNeverKept(t *testing.T) {
	page := "<html><body>Please log in</body></html>"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   authz.Kind
	}{
		{"INT-8: 401 is about the credentials", testkit.Reply(401, "application/json", `{"error":"invalid_client"}`),
			authz.Misconfigured},
		{"INT-8: 401 without body", testkit.Reply(401, "", ""), authz.Misconfigured},
		{"INT-8b: 400 invalid_client", testkit.Reply(400, "application/json", `{"error":"invalid_client"}`),
			authz.Misconfigured},
		{"INT-8b: 400 unauthorized_client", testkit.Reply(400, "application/json", `{"error":"unauthorized_client"}`),
			authz.Misconfigured},
		{"INT-8b: 400 about a bad hint",
			testkit.Reply(400, "application/json",
				`{"error":"invalid_request","error_description":"Unsupported token type."}`), authz.Misconfigured},
		{"INT-8b: 400 without JSON", testkit.Reply(400, "text/html", page), authz.Misconfigured},
		{"INT-8b: unsupported_token_type that is no JSON",
			testkit.Reply(400, "text/plain", `{"error":"unsupported_token_type"}`), authz.Misconfigured},
		{"INT-8b: unsupported_token_type with another status",
			testkit.Reply(403, "application/json", `{"error":"unsupported_token_type"}`), authz.Misconfigured},
		{"INT-8b: 403 HTML", testkit.Reply(403, "text/html", page), authz.Misconfigured},
		{"404", testkit.Reply(404, "application/json", `{"error":"Realm does not exist"}`), authz.Misconfigured},
		{"405", testkit.Reply(405, "", ""), authz.Misconfigured},
		{"a refusal that says active", testkit.Reply(403, "application/json", `{"active":true}`), authz.Misconfigured},
		{"408, mostly of a gateway before the server", testkit.Reply(408, "", ""), authz.Unavailable},
		{"425", testkit.Reply(425, "", ""), authz.Unavailable},
		{"INT-9: 429", testkit.Reply(429, "", ""), authz.Unavailable},
		{"INT-9: 500", testkit.Reply(500, "application/json", `{"active":true}`), authz.Unavailable},
		{"INT-9: 500 that says inactive", testkit.Reply(500, "application/json", `{"active":false}`),
			authz.Unavailable},
		{"INT-9: 503", testkit.Reply(503, "text/html", page), authz.Unavailable},
		{"trap 3: 204", testkit.Reply(204, "", ""), authz.Unavailable},
		{"201 with an answer", testkit.Reply(201, "application/json", `{"active":true}`), authz.Unavailable},
		{"trap 2: 200 with HTML", testkit.Reply(200, "text/html", page), authz.Unavailable},
		{"200 with HTML that calls itself JSON", testkit.ReplyJSON(page), authz.Unavailable},
		{"200 with JSON that calls itself HTML", testkit.Reply(200, "text/html", `{"active":true}`),
			authz.Unavailable},
		{"200 without content type", testkit.Reply(200, " ", `{"active":true}`), authz.Unavailable},
		{"a signed answer", testkit.Reply(200, "application/token-introspection+jwt", `{"active":true}`),
			authz.Unavailable},
		{"an empty body", testkit.ReplyJSON(""), authz.Unavailable},
		{"an array", testkit.ReplyJSON(`[{"active":true}]`), authz.Unavailable},
		{"null", testkit.ReplyJSON(`null`), authz.Unavailable},
		{"two objects", testkit.ReplyJSON(`{"active":true}{"active":true}`), authz.Unavailable},
		{"a cut object", testkit.ReplyJSON(`{"active":true`), authz.Unavailable},
		{"trap 24: duplicate members", testkit.ReplyJSON(`{"active":false,"active":true}`), authz.Unavailable},
		{"trap 24: duplicate members deeper", testkit.ReplyJSON(`{"active":true,"cnf":{"jkt":"a","jkt":"b"}}`),
			authz.Unavailable},
		{"invalid UTF-8", testkit.ReplyJSON("{\"active\":true,\"sub\":\"\xff\"}"), authz.Unavailable},
		{"trap 25: 10 MB", testkit.ReplyJSON(`{"active":true,"x":"` + strings.Repeat("a", 10<<20) + `"}`),
			authz.Unavailable},
		{"a gzip bomb", gzipBomb, authz.Unavailable},
		{"broken gzip", brokenGzip, authz.Unavailable},
		{"a connection that is cut", hangUp, authz.Unavailable},
		{"a body that is cut", cutBody, authz.Unavailable},
		{"exp that is a string", testkit.ReplyJSON(`{"active":true,"exp":"1795354082"}`), authz.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := serve(t, c.answer)
			i, _ := open(t, u.URL, func(c *Config) { c.Endpoint.Timeout = 20 * time.Second })
			if n := twice(t, u, i, func() { refusal(t, i, c.want) }); n < 2 {
				t.Errorf("%d calls: it was kept", n)
			}
			if s := i.Stats(); s != (cache.Stats{}) {
				t.Errorf("kept: %+v", s)
			}
		})
	}
}

func gzipBomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	defer func() { _ = z.Close() }()
	_, _ = io.WriteString(z, `{"active":true,"x":"`)
	zeros := bytes.Repeat([]byte("0"), 1<<20)
	for range 16 {
		if _, err := z.Write(zeros); err != nil {
			return
		}
	}
	_, _ = io.WriteString(z, `"}`)
}

func brokenGzip(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = io.WriteString(w, `{"active":true}`)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func cutBody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"active":true}`)
}

func TestCompressedAnswersAreRead(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"active":true}`)
		_ = z.Close()
	})
	i, _ := open(t, u.URL, nil)
	if !ask(t, i).Active {
		t.Error("not active")
	}
}

func TestAnAnswerIsReadByItsTypeWhateverElseIsInTheHeader(t *testing.T) {
	for _, contentType := range []string{
		"application/json; charset=", "application/json; charset=utf-8, application/json", "application/json;",
		"APPLICATION/JSON", "application/json; charset=utf-8; charset=utf-8",
	} {
		for _, mark := range []string{"", "\ufeff"} {
			u := serve(t, testkit.Reply(200, contentType, mark+`{"active":true}`))
			i, _ := open(t, u.URL, nil)
			if !ask(t, i).Active {
				t.Errorf("%q, mark %q: not active", contentType, mark)
			}
		}
	}
}

func TestINT6_OnlyTrueIsActive(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"active":null}`, `{"active":"true"}`, `{"active":1}`, `{"active":[true]}`, `{"active":{}}`,
		`{"Active":true}`, `{"active":"false"}`,
	} {
		t.Run(body, func(t *testing.T) {
			u := serve(t, testkit.ReplyJSON(body))
			i, l := open(t, u.URL, nil)
			n := twice(t, u, i, func() {
				if c, err := i.Introspect(t.Context(),
					introspect.Question{Token: secret.New("tok-123456")}); authz.KindOf(err) != authz.Unavailable {
					t.Errorf("claims %+v, %v", c, err)
				}
			})
			if n != 2 {
				t.Errorf("%d calls: only a clear no may be kept", n)
			}
			if l.of(t, metricAsked, "unavailable") != 2 {
				t.Errorf("outcomes %v", l.all(t, metricAsked))
			}
		})
	}
}

func TestINT7_InactiveIsAnAnswerAndKept(t *testing.T) {
	for _, body := range []string{`{"active":false}`, ` { "active" : false , "exp":"x" } `} {
		u := serve(t, testkit.ReplyJSON(body))
		i, _ := open(t, u.URL, nil)
		n := twice(t, u, i, func() {
			if c := ask(t, i); c.Active || c.Raw != nil || c.Inactive.Text == "" {
				t.Errorf("claims %+v", c)
			}
		})
		if n != 1 {
			t.Errorf("%d calls", n)
		}
	}
}

func TestINT8b_A400ThatIsAboutTheTokenIsInactiveAndKept(t *testing.T) {
	for _, code := range []string{"unsupported_token_type", "invalid_token"} {
		u := serve(t, testkit.Reply(400, "application/json; charset=",
			"\ufeff"+`{"error":"`+code+`","error_description":"x \ud83d"}`))
		i, _ := open(t, u.URL, nil)
		n := twice(t, u, i, func() {
			if ask(t, i).Active {
				t.Error("active")
			}
		})
		if n != 1 {
			t.Errorf("%s: %d calls", code, n)
		}
	}
}

// Where the sidecar shows a token of its own, invalid_token may be said of that one: then a good token must not be
// refused.
func TestINT8b_InvalidTokenMayBeAboutTheTokenOfTheSidecar(t *testing.T) {
	u := serve(t, testkit.Reply(400, "application/json", `{"error":"invalid_token"}`))
	i, _ := open(t, u.URL, func(c *Config) {
		c.Endpoint.Client.Auth, c.Endpoint.Client.Secret = "bearer", testkit.SecretFile(t, "own-token")
	})
	if c, err := i.Introspect(t.Context(),
		introspect.Question{Token: secret.New("tok-123456")}); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("claims %+v, %v", c, err)
	}
}

// TestWithoutABooleanActiveNothingCachedIsDropped: a server that answers rubbish with a 200 says nothing about a
// token.
func TestWithoutABooleanActiveNothingCachedIsDropped(t *testing.T) {
	for _, body := range []string{`{}`, `{"error":"server_error"}`, `{"status":"maintenance"}`, `{"active":"true"}`,
		`{"active":1}`, `{"active":null}`, `[]`, `null`} {
		synctest.Test(t, func(t *testing.T) {
			as := &server{body: yes}
			i, _ := openWired(t, lifetimes, as.answer)
			ask(t, i)
			as.says(0, body)
			time.Sleep(10 * time.Second) // past the soft lifetime: it is refreshed in the background
			ask(t, i)
			as.asked()
			if c := ask(t, i); !c.Usable(time.Now()).OK() {
				t.Errorf("%s: the good answer was dropped: %s", body, c.Inactive.Text)
			}
		})
	}
}

func TestAnActiveAnswerWithAPastExpIsNotUsableAndNotKept(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true,"sub":"a","exp":1000}`))
	i, _ := open(t, u.URL, nil)
	n := twice(t, u, i, func() {
		if c := ask(t, i); c.Usable(time.Now()).Text != "has expired" {
			t.Errorf("claims %+v", c)
		}
	})
	if n != 2 {
		t.Errorf("%d calls", n)
	}
}

func TestINT11_ARefusalByTheSidecarIsNotKept(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true,"aud":"x","iss":"https://b"}`))
	i, l := open(t, u.URL, func(c *Config) { c.Dialect.Audience = []string{"api"} })
	ask(t, i)
	ask(t, i)
	if u.calls.Load() != 2 || l.of(t, metricAsked, "inactive") != 2 {
		t.Errorf("%d calls, outcomes %v", u.calls.Load(), l.all(t, metricAsked))
	}
}

func TestINT5_RedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		target := serve(t, testkit.ReplyJSON(`{"active":true}`))
		u := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, status) })
		i, _ := open(t, u.URL, nil)
		refusal(t, i, authz.Misconfigured)
		if target.calls.Load() != 0 {
			t.Errorf("%d: the target saw the token", status)
		}
	}
}

func TestINT9_RetryAfterIsHonoured(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": 0, "-3": 0, "soon": 0, "99999999999": time.Hour, "1.5": 0,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0,
	} {
		u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		i, _ := open(t, u.URL, nil)
		if e := refusal(t, i, authz.Unavailable); e.RetryAfter != want {
			t.Errorf("Retry-After %q: %v, want %v", value, e.RetryAfter, want)
		}
	}
}

func TestINT9_RetryAfterCanBeADate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if got := oauth.RetryAfter("Mon, 23 Nov 2026 12:00:30 GMT", now); got != 30*time.Second {
		t.Errorf("%v", got)
	}
}

func TestAServerThatNeverAnswersIsUnavailableInTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts; no program reads
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	i, _ := open(t, "http://"+l.Addr().String(), func(c *Config) { c.Endpoint.Timeout = 150 * time.Millisecond })
	start := time.Now()
	e := refusal(t, i, authz.Unavailable)
	if took := time.Since(start); took > 5*time.Second || !strings.Contains(e.Error(), "no answer in time") {
		t.Errorf("after %v: %v", took, e)
	}
}

func TestABodyThatNeverEndsIsUnavailableInTime(t *testing.T) {
	release := make(chan struct{})
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active":true`)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	i, _ := open(t, u.URL, func(c *Config) { c.Endpoint.Timeout = 150 * time.Millisecond })
	refusal(t, i, authz.Unavailable)
}

func TestAnEndlessBodyIsGivenUpAtTheLimit(t *testing.T) {
	const enough = 64 << 20 // the limit and what the sockets hold, many times over
	done := make(chan int, 1)
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		sent, blank := 0, bytes.Repeat([]byte(" "), 1<<16)
		for sent < enough {
			n, err := w.Write(blank)
			if sent += n; err != nil {
				break
			}
		}
		done <- sent
	})
	i, _ := open(t, u.URL, func(c *Config) { c.Endpoint.Timeout = 20 * time.Second })
	refusal(t, i, authz.Unavailable)
	if sent := <-done; sent >= enough {
		t.Errorf("all of %d bytes were taken", sent)
	}
}

func TestAClosedPortIsUnavailable(t *testing.T) {
	u := httptest.NewServer(nil)
	u.Close()
	i, l := open(t, u.URL, nil)
	if e := refusal(t, i, authz.Unavailable); !strings.Contains(e.Error(), "connection refused") {
		t.Errorf("cause %q", e)
	}
	if l.of(t, metricAsked, "unavailable") != 1 {
		t.Errorf("outcomes %v", l.all(t, metricAsked))
	}
}

func TestPlainHTTPBehindAnHTTPSAddressIsMisconfigured(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true}`))
	i, _ := open(t, strings.Replace(u.URL, "http:", "https:", 1), nil)
	if e := refusal(t, i, authz.Misconfigured); !strings.Contains(e.Error(), "this port speaks plain HTTP") {
		t.Errorf("cause %q", e)
	}
}
