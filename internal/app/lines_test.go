package app

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// askAbout asks about a request with a token, or with none, and returns the decision.
func (w *world) askAbout(t *testing.T, method, url, token string) answer {
	t.Helper()
	headers := map[string][]string{"x-tenant": {"acme"}}
	if token != "" {
		headers["authorization"] = []string{"Bearer " + token}
	}
	body, err := json.Marshal(map[string]any{
		"request": map[string]any{"method": method, "url": url, "headers": headers}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.send(t.Context(), "POST", w.api+"/v1/decisions", string(body))
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// lineOf waits for the line that holds the id of a decision.
func lineOf(t *testing.T, log *testkit.LogBuffer, id string) (line string) {
	t.Helper()
	testkit.Eventually(t, "decision "+id+" has a line", func() bool {
		for l := range strings.Lines(log.String()) {
			if strings.Contains(l, id) && strings.HasSuffix(l, "\n") && !strings.Contains(l, "decision refused") {
				line = l
				return true
			}
		}
		return false
	})
	return line
}

func TestAtLevelDebugEachDecisionHasALineWithItsCause(t *testing.T) {
	w := start(t, nil)
	tok, other := w.token(t, good()), w.token(t, devissuer.Grant{ClientID: "web", Audience: []string{"other"}})
	for _, c := range []struct{ method, url, token, want string }{
		{"GET", "https://api.example/orders/42", tok, "kind=allow status=200 method=GET path=/orders/42 client=web"},
		{"GET", "https://api.example/orders/42", tok, "policies/authz/decision.rego:"},
		{"POST", "https://api.example/orders?x=1", tok, `kind=deny status=403 reasons="insufficient_scope: ` +
			`orders:write is needed" method=POST path=/orders client=web subject=alice`},
		{"GET", "https://api.example/orders/42", other, `kind=deny status=401 reasons="wrong_audience: `},
		{"GET", "https://api.example/orders/42", "", `kind=unauthenticated status=401 reasons="no_credential: the ` +
			`request carries no token" method=GET path=/orders/42 cause="read credential: the request has none"`},
		{"GET", "https://api.example/orders/42", "an-unknown-token", `cause="check token: it is not active"`},
		{"GET", "orders/42", tok, `method=GET path=orders/42 cause="read request: the URL is neither absolute`},
		{"GET", "https://rita:hunter2@api.example/a//b", tok, `kind=malformed status=400`},
		{"GET", "https://api.example/orders/" + tok + "x", "", `path=/orders/`},
		{"GET", "/a//b/" + tok, tok, `path=/a//b/[redacted] cause="read request: the path is ambiguous`},
	} {
		line := lineOf(t, w.logger, w.askAbout(t, c.method, c.url, c.token).ID)
		if !strings.Contains(line, "level=DEBUG msg=decision ") || !strings.Contains(line, c.want) {
			t.Errorf("%s %s: got %swant %s", c.method, c.url, line, c.want)
		}
		if c.token != "" && strings.Contains(line, c.token) || strings.Contains(line, "hunter2") {
			t.Errorf("%s %s: the line shows a credential: %s", c.method, c.url, line)
		}
	}
}

func TestWhatClientsSendCannotChangeALine(t *testing.T) {
	lines := &testkit.LogBuffer{}
	w := &world{given: func(d *Deps) { d.Lines = lines }}
	w.start(t, func(c *config.Config) { c.Input.AmbiguousPaths = "accept" })
	g := good()
	g.ClientID = "web\n200 allow  GET /admin\x1b[2J"
	tok := w.token(t, g)
	for _, url := range []string{"/orders/%1b%5b2J%0a", "/orders/%0d%0a200%20allow", "/orders/%e2%80%ae",
		"/orders/" + strings.Repeat("x", 64<<10), "/orders/\x1b[2J\n", "\x1b\n"} {
		line := lineOf(t, lines, w.askAbout(t, "GET", url, tok).ID)
		if len(line) > 2<<10 || strings.ContainsAny(line[:len(line)-1], "\x1b\n\r\u202e") ||
			!strings.Contains(line, `client web\n200 allow GET /admin\x1b[2J  `) && !strings.HasPrefix(line, "400 ") {
			t.Errorf("got %q", line)
		}
	}
}

func TestAnUnavailableServerIsTheCauseInTheLine(t *testing.T) {
	w := start(t, nil)
	authserver.FailIntrospection(w.issuer, authserver.Answer(502, "", ""))
	line := lineOf(t, w.logger, w.askAbout(t, "GET", "/orders/42", "some-token").ID)
	if !strings.Contains(line, "kind=unavailable status=503") || !strings.Contains(line, "status 502") {
		t.Errorf("got %s", line)
	}
}

func TestAboveLevelDebugDecisionsHaveNoLines(t *testing.T) {
	w := &world{}
	w.given = func(d *Deps) { d.Log = telemetry.NewLogger(telemetry.LogConfig{Level: "info"}, w.logger) }
	w.start(t, nil)
	if w.app.follower != nil {
		t.Error("decisions are followed")
	}
}

func TestLinesForPeopleTakeThePlaceOfThoseOfTheLog(t *testing.T) {
	lines := &testkit.LogBuffer{}
	w := &world{given: func(d *Deps) { d.Lines = lines }}
	w.start(t, nil)
	id := w.askAbout(t, "POST", "/orders", w.token(t, good())).ID
	want := regexp.MustCompile(`^403 insufficient_scope: orders:write is needed  POST /orders  client web  ` +
		`\S*policies/authz/denial.rego:\d+  ` + id + `\n$`)
	if got := lineOf(t, lines, id); !want.MatchString(got) {
		t.Errorf("got %swant %s", got, want)
	}
	if err := w.stopped(t); err != nil {
		t.Fatal(err)
	}
	if w.logger.Has("msg=decision ") {
		t.Error("the log has the line too")
	}
}

func TestALineIsWrittenBeforeTheStopIsOver(t *testing.T) {
	w := start(t, func(c *config.Config) { c.DecisionLog.File = "" })
	id := w.askAbout(t, "GET", "/orders/42", "").ID
	if err := w.stopped(t); err != nil {
		t.Fatal(err)
	}
	if !w.logger.Has(id) {
		t.Errorf("decision %s has no line", id)
	}
}
