package forwardauth_test

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// recording is one check of a gateway: see testdata/recorded/README.md.
type recording struct {
	Case        string   `json:"case"`
	Sent        string   `json:"sent"`
	Check       string   `json:"check"`
	Headers     []string `json:"headers"`
	Application string   `json:"application"`
}

// added are the fields that a case lacks which lists only what differs.
var added = map[forwardauth.Profile][]string{
	forwardauth.Nginx:   {"X-Original-Method", "X-Original-Scheme"},
	forwardauth.HAProxy: {"X-Original-Method"},
	forwardauth.Caddy:   {"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-For"},
	forwardauth.Traefik: {"X-Forwarded-Method", "X-Forwarded-Proto", "X-Real-Ip"},
	forwardauth.Envoy:   {"X-Original-Scheme"},
}

// newer are the fields that the configuration of today's page adds, and that of the recordings did not.
var newer = map[forwardauth.Profile][]string{
	forwardauth.Nginx:   {"X-Original-For"},
	forwardauth.HAProxy: {"X-Original-Scheme", "X-Original-For"},
}

// lines are the lines of the check.
func (r recording) lines(profile forwardauth.Profile) []string {
	method, _, _ := strings.Cut(r.Sent, " ")
	lines := append([]string{r.Check + " HTTP/1.1"}, r.Headers...)
	missing := newer[profile]
	if !r.has(added[profile][0]) {
		missing = slices.Concat(added[profile], missing)
	}
	for _, name := range missing {
		value := "http"
		switch {
		case strings.HasSuffix(name, "-Method"):
			value = method
		case strings.HasSuffix(name, "-For"), strings.HasSuffix(name, "-Ip"):
			value = "127.0.0.1"
		}
		lines = append(lines, name+": "+value)
	}
	return lines
}

func (r recording) has(name string) bool {
	return slices.ContainsFunc(r.Headers, func(line string) bool {
		have, _, _ := strings.Cut(line, ":")
		return strings.EqualFold(have, name)
	})
}

// host is the one that the client asked for.
func (r recording) host(profile forwardauth.Profile) string {
	switch {
	case r.Case == "host-other":
		return "EVIL.example:8080"
	case r.Case == "absolute-form" && profile != forwardauth.Nginx && profile != forwardauth.HAProxy:
		return "evil.example" // of the request line
	}
	return "app.example.test"
}

// body is one of the length that the check announces, as recordings tell lengths alone.
func (r recording) body() string {
	for _, line := range r.Headers {
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case strings.EqualFold(name, "Content-Length"):
			n, _ := strconv.Atoi(value)
			return strings.Repeat("x", n)
		case strings.EqualFold(name, "Transfer-Encoding"):
			return "7\r\n{\"a\":1}\r\n0\r\n\r\n"
		}
	}
	return ""
}

// TestRecordedChecksAreDecidedAsTheRequestThatTheApplicationGets replays what real gateways sent.
func TestRecordedChecksAreDecidedAsTheRequestThatTheApplicationGets(t *testing.T) {
	for profile := range added {
		w := serve(t, forwardauth.Config{Profile: profile}, allowing)
		recorded := read(t, profile)
		decided := 0
		for _, r := range recorded {
			w.body = r.body()
			resp, _ := w.check(t, r.lines(profile)...)
			asked := w.question()
			if asked == "" {
				if resp.StatusCode < 400 {
					t.Errorf("%s, %s: %d without a decision", profile, r.Case, resp.StatusCode)
				}
				continue
			}
			decided++
			words := strings.Fields(asked)
			_, rest, _ := strings.Cut(words[1], "://")
			if host := rest[:strings.Index(rest, "/")]; host != r.host(profile) {
				t.Errorf("%s, %s: decided about host %s, want %s", profile, r.Case, host, r.host(profile))
			}
			method, target, _ := strings.Cut(cmp.Or(r.Application, r.Sent), " ")
			if got := rest[strings.Index(rest, "/"):]; words[0] != method || got != target {
				t.Errorf("%s, %s: decided about %s %s, and the application gets %s %s", profile, r.Case, words[0], got,
					method, target)
			}
		}
		if decided < len(recorded)-3 {
			t.Errorf("%s: %d of %d checks were decided", profile, decided, len(recorded))
		}
	}
}

func read(t *testing.T, profile forwardauth.Profile) []recording {
	t.Helper()
	var recorded []recording
	file := testkit.ReadFile(t, "testdata/recorded/"+string(profile)+".json")
	if err := json.Unmarshal([]byte(file), &recorded); err != nil || len(recorded) < 50 {
		t.Fatal(profile, len(recorded), err)
	}
	return recorded
}

// TestNoRecordedCheckIsAnAllowWhenThePolicyDenies: gateways take any answer of 2xx or 3xx for more than a refusal.
func TestNoRecordedCheckIsAnAllowWhenThePolicyDenies(t *testing.T) {
	for profile := range added {
		w := serve(t, forwardauth.Config{Profile: profile}, authz.Decision{Kind: authz.Deny, Status: 403})
		for _, r := range read(t, profile) {
			w.body = r.body()
			resp, _ := w.check(t, r.lines(profile)...)
			w.question()
			if resp.StatusCode < 400 || resp.StatusCode > 499 && profile == forwardauth.Envoy ||
				resp.Header.Get("X-Subject") != "" {
				t.Errorf("%s, %s: %d", profile, r.Case, resp.StatusCode)
			}
		}
	}
}
