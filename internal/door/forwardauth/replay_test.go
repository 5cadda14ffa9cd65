package forwardauth_test

import (
	"cmp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

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

// added are the fields that the profile needs and that a recording may lack: the configuration of today's page adds
// them, or the case lists only what differs.
var added = map[forwardauth.Profile][]string{
	forwardauth.Nginx:   {"X-Original-Method", "X-Original-Scheme", "X-Original-For"},
	forwardauth.HAProxy: {"X-Original-Method", "X-Original-Scheme", "X-Original-For"},
	forwardauth.Caddy:   {"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-For"},
	forwardauth.Traefik: {"X-Forwarded-Method", "X-Forwarded-Proto", "X-Real-Ip"},
	forwardauth.Envoy:   {"X-Original-Scheme"},
}

// lines are the lines of the check.
func (r recording) lines(profile forwardauth.Profile) []string {
	method, _, _ := strings.Cut(r.Sent, " ")
	lines := append([]string{r.Check + " HTTP/1.1"}, r.Headers...)
	for i, line := range lines {
		if strings.EqualFold(line, "Connection: close") || strings.HasPrefix(line, "Connection:") {
			lines[i] = "X-Was-Connection: " + line // the test has one of its own
		}
	}
	for _, name := range added[profile] {
		there := false
		for _, line := range r.Headers {
			have, _, _ := strings.Cut(line, ":")
			there = there || strings.EqualFold(have, name)
		}
		if there {
			continue
		}
		value := "127.0.0.1"
		if strings.HasSuffix(name, "-Method") {
			value = method
		} else if !strings.HasSuffix(name, "-For") && !strings.HasSuffix(name, "-Ip") {
			value = "http"
		}
		lines = append(lines, name+": "+value)
	}
	return lines
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
		var recorded []recording
		file := testkit.ReadFile(t, "testdata/recorded/"+string(profile)+".json")
		if err := json.Unmarshal([]byte(file), &recorded); err != nil || len(recorded) < 50 {
			t.Fatal(profile, len(recorded), err)
		}
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
