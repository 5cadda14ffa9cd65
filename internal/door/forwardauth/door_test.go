package forwardauth_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// fixed decides always the same, and keeps what it was asked last.
type fixed struct {
	decision authz.Decision
	asked    chan authz.Query
}

func (f fixed) Decide(_ context.Context, q authz.Query) authz.Decision {
	f.asked <- q
	return f.decision
}

func (fixed) Callable(string) bool { return true }

// world is a listener that is served until the end of the test.
type world struct {
	address string
	asked   chan authz.Query
	// body is sent behind the lines of a check.
	body string
}

// maxBody is limits.body_bytes of the listener.
const maxBody = 256 << 10

var allowing = authz.Decision{Kind: authz.Allow, Status: 200, UpstreamHeaders: []authz.Header{
	{Name: "X-Subject", Values: []string{"alice"}}, {Name: "X-Tenant", Values: []string{""}},
}}

func serve(t testing.TB, cfg forwardauth.Config, d authz.Decision) world {
	t.Helper()
	asked := make(chan authz.Query, 1)
	return world{address: open(t, cfg, fixed{d, asked}), asked: asked}
}

// open serves a listener, and returns its address.
func open(t testing.TB, cfg forwardauth.Config, point forwardauth.Point) string {
	t.Helper()
	cfg.Name, cfg.Address = "gateway", "127.0.0.1:0"
	cfg.Prefix, cfg.KeyHeader, cfg.Unavailable = "/check", "x-sidecar-key", cmp.Or(cfg.Unavailable, 429)
	cfg.Limits = listen.Limits{BodyBytes: maxBody, HeaderBytes: 1 << 16, BatchItems: 1, ReadTimeout: time.Minute,
		Timeout: cmp.Or(cfg.Limits.Timeout, time.Minute), IdleTimeout: time.Minute, PerCaller: cfg.Limits.PerCaller}
	log := slog.New(slog.DiscardHandler)
	door, err := forwardauth.Open(cfg, forwardauth.Deps{Point: point, Log: log,
		Outcomes: forwardauth.NewOutcomes(nil)}, listen.Deps{Name: "forward_auth.gateway", Log: log,
		Calls: new(listen.Calls)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- door.Serve() }()
	t.Cleanup(func() {
		if err := door.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return door.Addr().String()
}

// check sends the lines of a check as they are.
func (w world) check(t testing.TB, lines ...string) (*http.Response, string) {
	t.Helper()
	resp, body := w.answer(t, lines)
	if resp == nil {
		t.Fatal(body)
	}
	return resp, body
}

// answer is what comes of the lines of a check; nil and an error's text when no answer does.
func (w world) answer(t testing.TB, lines []string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := strings.Join(lines, "\r\n") + "\r\n"
	if !strings.Contains(strings.ToLower(head), "\nconnection:") {
		head += "Connection: close\r\n"
	}
	head += "\r\n"
	if _, err := io.WriteString(conn, head+w.body); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(lines[0], " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// question is the request that the Point was asked about, or empty.
func (w world) question() string {
	select {
	case q := <-w.asked:
		return q.Request.Method + " " + q.Request.URL + " from " + q.Request.SourceIP
	default:
		return ""
	}
}

// checks are those of the gateways for POST https://app.example.test//a/%2e%2e/b?x=1 from 203.0.113.7, by a client
// that forges what other gateways send.
var checks = map[forwardauth.Profile][]string{
	forwardauth.Nginx: {"GET / HTTP/1.1", "Host: sidecar", "X-Original-Method: POST",
		"X-Original-URI: //a/%2e%2e/b?x=1", "X-Original-Host: app.example.test", "X-Original-Scheme: https",
		"X-Original-For: 203.0.113.7", "X-Forwarded-Uri: /forged", "X-Forwarded-Method: GET"},
	forwardauth.IngressNginx: {"GET / HTTP/1.1", "Host: sidecar", "X-Original-Method: POST",
		"X-Original-URL: https://app.example.test//a/%2e%2e/b?x=1", "X-Auth-Request-Redirect: //a/%2e%2e/b?x=1",
		"X-Real-IP: 203.0.113.7", "X-Original-URI: /forged", "X-Forwarded-Uri: /forged"},
	forwardauth.Traefik: {"HEAD / HTTP/1.1", "Host: sidecar", "X-Forwarded-Method: POST",
		"X-Forwarded-Uri: //a/%2e%2e/b?x=1", "X-Forwarded-Host: app.example.test", "X-Forwarded-Proto: https",
		"X-Real-Ip: 203.0.113.7", "X-Original-URI: /forged", "Forwarded: host=forged"},
	forwardauth.Caddy: {"GET /?x=1 HTTP/1.1", "Host: app.example.test", "X-Forwarded-Method: POST",
		"X-Forwarded-Uri: //a/%2e%2e/b?x=1", "X-Forwarded-Host: app.example.test", "X-Forwarded-Proto: https",
		"X-Forwarded-For: 192.0.2.1, 203.0.113.7", "X-Original-Method: GET", "X-Rewrite-URL: /forged"},
	forwardauth.HAProxy: {"GET / HTTP/1.1", "Host: sidecar", "x-original-method: POST",
		"x-original-uri: //a/%2e%2e/b?x=1", "x-original-host: app.example.test", "x-original-scheme: https",
		"x-original-for: 203.0.113.7", "x-http-method-override: GET"},
	forwardauth.Envoy: {"POST /check//a/%2e%2e/b?x=1 HTTP/1.1", "Host: app.example.test", "X-Original-Scheme: https",
		"X-Original-Method: GET", "X-Forwarded-Uri: /forged", "X-Envoy-Original-Path: /forged"},
}

func TestEachGatewaysRequestIsReadFromWhatThatGatewayWrites(t *testing.T) {
	for profile, lines := range checks {
		w := serve(t, forwardauth.Config{Profile: profile}, allowing)
		resp, body := w.check(t, lines...)
		want := "POST https://app.example.test//a/%2e%2e/b?x=1 from 203.0.113.7"
		if profile == forwardauth.Envoy {
			want = strings.TrimSuffix(want, "203.0.113.7")
		}
		if got := w.question(); got != want {
			t.Errorf("%s: asked about %q, want %q", profile, got, want)
		}
		tenant, sent := resp.Header["X-Tenant"]
		if resp.StatusCode != 200 || body != "" || resp.ContentLength != 0 ||
			resp.Header.Get("X-Subject") != "alice" ||
			!sent || len(tenant) != 1 || tenant[0] != "" {
			t.Errorf("%s: %d %v %q", profile, resp.StatusCode, resp.Header, body)
		}
	}
}

func TestAHeaderOfTheGatewayThatIsMissingOrTwiceRefuses(t *testing.T) {
	for profile, lines := range checks {
		w := serve(t, forwardauth.Config{Profile: profile}, allowing)
		first := 2 // the first header that the profile reads
		end := first + 5
		switch profile {
		case forwardauth.Envoy:
			end = first + 1
		case forwardauth.IngressNginx:
			end = first + 4
		case forwardauth.Nginx, forwardauth.Traefik, forwardauth.Caddy, forwardauth.HAProxy:
		}
		for i := first; i < end; i++ {
			without := append(append([]string{}, lines[:i]...), lines[i+1:]...)
			for _, changed := range [][]string{without, append(lines[:len(lines):len(lines)], lines[i])} {
				resp, _ := w.check(t, changed...)
				if asked := w.question(); asked != "" || resp.StatusCode < 400 {
					t.Errorf("%s: with another number of %q: %d, asked %q", profile, lines[i], resp.StatusCode, asked)
				}
			}
		}
	}
}

func TestWhatIsNoCheckIsNeverAnAllow(t *testing.T) {
	for _, c := range []struct {
		profile forwardauth.Profile
		lines   []string
	}{
		{forwardauth.Envoy, []string{"OPTIONS * HTTP/1.1", "Host: app.example.test", "X-Original-Scheme: http"}},
		{forwardauth.Envoy, []string{"GET /admin HTTP/1.1", "Host: app.example.test", "X-Original-Scheme: http"}},
		{forwardauth.Envoy, []string{"GET /checkpoint HTTP/1.1", "Host: app.example.test", "X-Original-Scheme: http"}},
		{forwardauth.Envoy, []string{"GET /check HTTP/1.1", "Host: app.example.test", "X-Original-Scheme: http"}},
		{forwardauth.Envoy, []string{"GET /check/a HTTP/1.1", "Host: app.example.test", "X-Original-Scheme: ftp"}},
		{forwardauth.Envoy, []string{"GET /check/../v1/x% HTTP/1.1", "Host: a", "X-Original-Scheme: http"}},
		{forwardauth.Nginx, []string{"OPTIONS * HTTP/1.1", "Host: app.example.test"}},
		{forwardauth.Nginx, []string{"GET / HTTP/1.1", "Host: sidecar", "X-Original-Method: GET", "X-Original-URI: a",
			"X-Original-Host: h", "X-Original-Scheme: http", "X-Original-For: 192.0.2.1"}},
		{forwardauth.Nginx, []string{"GET / HTTP/1.1", "Host: sidecar", "X-Original-Method: GET", "X-Original-URI: /a",
			"X-Original-Host: h/open?", "X-Original-Scheme: http", "X-Original-For: 192.0.2.1"}},
		// The client's Host is "app.example.test?", and its target /admin.
		{forwardauth.IngressNginx, []string{"GET / HTTP/1.1", "Host: sidecar", "X-Original-Method: GET",
			"X-Original-URL: http://app.example.test?/admin", "X-Auth-Request-Redirect: /admin",
			"X-Real-IP: 192.0.2.1"}},
		{forwardauth.IngressNginx, []string{"GET / HTTP/1.1", "Host: sidecar", "X-Original-Method: GET",
			"X-Original-URL: http://app.example.test/open", "X-Auth-Request-Redirect: /admin",
			"X-Real-IP: 192.0.2.1"}},
	} {
		w := serve(t, forwardauth.Config{Profile: c.profile}, allowing)
		resp, _ := w.check(t, c.lines...)
		if asked := w.question(); asked != "" || resp.StatusCode < 400 {
			t.Errorf("%s %q: %d, asked %q", c.profile, c.lines, resp.StatusCode, asked)
		}
	}
}

func TestRefusalsReachTheGatewayInTheStatusesThatItKnows(t *testing.T) {
	for refusal, byProfile := range map[int]map[forwardauth.Profile]string{
		401: {forwardauth.Nginx: "401 ", forwardauth.IngressNginx: "401 ", forwardauth.Caddy: "401 "},
		403: {forwardauth.Nginx: "403 ", forwardauth.IngressNginx: "403 ", forwardauth.Traefik: "403 "},
		400: {forwardauth.Nginx: "403 400", forwardauth.IngressNginx: "403 ", forwardauth.HAProxy: "400 "},
		503: {forwardauth.Nginx: "403 503", forwardauth.IngressNginx: "403 ", forwardauth.Envoy: "429 "},
		500: {forwardauth.Nginx: "403 500", forwardauth.Traefik: "500 ", forwardauth.Envoy: "403 "},
		429: {forwardauth.Nginx: "403 429", forwardauth.IngressNginx: "403 ", forwardauth.Envoy: "429 "},
		302: {forwardauth.Nginx: "403 500", forwardauth.Caddy: "500 "},
		200: {forwardauth.Nginx: "403 500", forwardauth.Caddy: "500 "},
	} {
		for profile, want := range byProfile {
			w := serve(t, forwardauth.Config{Profile: profile}, authz.Decision{Kind: authz.Deny, Status: refusal,
				Headers: []authz.Header{{Name: "WWW-Authenticate", Values: []string{"Bearer", "DPoP"}}}})
			resp, body := w.check(t, checks[profile]...)
			if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("X-Authz-Status")); got != want {
				t.Errorf("%s answers %d by %q, want %q", profile, refusal, got, want)
			}
			challenges := resp.Header.Values("WWW-Authenticate")
			if n := len(challenges); n != 2 && profile != forwardauth.Nginx && profile != forwardauth.IngressNginx ||
				strings.Join(challenges, ", ") != "Bearer, DPoP" {
				t.Errorf("%s: challenges %q", profile, challenges)
			}
			if !strings.Contains(body, `"status":`) && resp.Request.Method != "HEAD" {
				t.Errorf("%s: body %q", profile, body)
			}
		}
	}
}

func TestTheCallerKeyIsNotTheClientsCredential(t *testing.T) {
	const key = "0123456789abcdef"
	cfg := forwardauth.Config{Profile: forwardauth.Nginx}
	cfg.BearerKeysFile = testkit.TempFile(t, "keys", key+"\n")
	w := serve(t, cfg, allowing)
	check := checks[forwardauth.Nginx]
	for line, want := range map[string]int{
		"X-Sidecar-Key: " + key:                               200,
		"X-Sidecar-Key: other":                                403,
		"Authorization: Bearer " + key:                        403,
		"X-Sidecar-Key: " + key + "\r\nX-Sidecar-Key: " + key: 403,
	} {
		resp, _ := w.check(t, append(check[:len(check):len(check)], line)...)
		if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", line, resp.StatusCode, want)
		}
		select {
		case q := <-w.asked:
			if len(q.Request.Headers["x-sidecar-key"]) > 0 {
				t.Error("the policy sees the caller key")
			}
		default:
		}
	}
}

func TestAnAllowWithObligationsIsRefused(t *testing.T) {
	d := allowing
	d.Obligations = []byte(`[{"id":"log"}]`)
	w := serve(t, forwardauth.Config{Profile: forwardauth.Caddy}, d)
	if resp, _ := w.check(t, checks[forwardauth.Caddy]...); resp.StatusCode != 500 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestTwoCredentialsThatAGatewayJoinedArriveAsTheyCame(t *testing.T) {
	for profile, lines := range checks {
		for name, value := range map[string]string{"Authorization": "Bearer a,Bearer b", "DPoP": "a, b"} {
			w := serve(t, forwardauth.Config{Profile: profile}, allowing)
			w.check(t, append(lines[:len(lines):len(lines)], name+": "+value)...)
			q := <-w.asked
			if got := q.Request.Headers[strings.ToLower(name)]; len(got) != 1 || got[0] != value {
				t.Errorf("%s: %s is %q", profile, name, got)
			}
			_, err := token.Extract(token.Sources{Header: q.Request.Headers["authorization"]})
			if name == "Authorization" && err == nil {
				t.Errorf("%s: %q is one credential", profile, value)
			}
		}
	}
}
