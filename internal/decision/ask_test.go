package decision_test

import (
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// ofCallers is a package whose input is the caller's own.
const ofCallers = `package app

allow if input.token.active

subject := input.token.subject.id

everything := input

ratio := 1 / input.zero
`

func askable(t *testing.T) *world {
	t.Helper()
	w := build(t, plan{ttl: time.Minute})
	policy := compileConfig(t, engine.Config{Deadline: 5 * time.Second, CallerPackages: []string{"app"}},
		map[string]string{"policy.rego": byData, "data.json": `{"answers": {}}`, "app/app.rego": ofCallers})
	w.point.Swap(&decision.Snapshot{Introspector: w.asker, Policy: policy})
	return w
}

func TestACallersQuestionIsAnsweredAndLogged(t *testing.T) {
	w := askable(t)
	tok := w.grant(t, devissuer.Grant{ClientID: "c", Subject: "ann"})
	for _, c := range []struct {
		path, in, token, want string
		kind                  authz.Kind
	}{
		{"app/allow", `{"token":{"active":true}}`, "", `true`, authz.Allow},
		{"app/allow", `{"token":"TOKEN"}`, tok, `true`, authz.Allow},
		{"app/subject", `{"token":"TOKEN"}`, tok, `"ann"`, authz.Deny},
		{"app/allow", `{"token":"x"}`, "a-token-that-nothing-knows", ``, authz.Deny},
		{"app/no", `{}`, "", ``, authz.Deny},
		{"app/ratio", `{"zero":0}`, "", ``, authz.Misconfigured},
		{"authz/decision", `{"token":{"active":true}}`, "", ``, authz.Misconfigured},
		{"app/allow", `[1]`, tok, ``, authz.Malformed},
	} {
		d, got := w.point.Ask(t.Context(), decision.CallerQuery{Path: strings.Split(c.path, "/"),
			Input: []byte(strings.ReplaceAll(c.in, "TOKEN", tok)), Token: secret.New(c.token), Caller: "127.0.0.1:1"})
		if string(got) != c.want || d.Kind != c.kind {
			t.Errorf("%s %s: %s %s (%v), want %s %s", c.path, c.in, d.Kind, got, d.Cause, c.kind, c.want)
		}
		if e := w.event(t, d.ID); e.Path != c.path {
			t.Errorf("%s: the event is %+v", c.path, e)
		}
	}
}

func TestTheTokenOfACallersQuestionIsNowhere(t *testing.T) {
	w := askable(t)
	tok := w.grant(t, devissuer.Grant{ClientID: "c", Subject: "ann"})
	_, got := w.point.Ask(t.Context(), decision.CallerQuery{Path: []string{"app", "everything"},
		Input: []byte(`{"token":"` + tok + `","again":{"a":["Bearer ` + tok + `"]}}`), Token: secret.New(tok)})
	if !strings.Contains(string(got), `"active":true`) || strings.Contains(string(got), tok) {
		t.Errorf("the result is %s", got)
	}
	if written := w.close(t); strings.Contains(written, tok) {
		t.Errorf("the log has the token: %s", written)
	}
}
