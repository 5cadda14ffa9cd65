package decision_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestAnObserverSeesEveryDecisionWithoutItsToken(t *testing.T) {
	var seen []decision.Observed
	w := build(t, plan{answers: map[string]any{"open": true, "shut": false},
		observe: func(o decision.Observed) { seen = append(seen, o) }})
	tok := w.grant(t, devissuer.Grant{})
	explicit := question("open/" + tok + "?access=" + tok)
	explicit.Token = secret.New(tok)
	entities := authz.Query{Token: secret.New(tok), Action: &authz.Action{Name: "read"},
		Resource: &authz.Entity{Type: "order", ID: tok}}
	for i, c := range []struct {
		q            authz.Query
		kind         authz.Kind
		asked, whose string
		document     bool
	}{
		{question("open/1", "Bearer "+tok), authz.Allow, "GET /open/1", "web alice", true},
		{question("shut/2?x="+tok, "Bearer "+tok), authz.Deny, "GET /shut/2", "web alice", true},
		{explicit, authz.Allow, "GET /open/[redacted]", "web alice", true},
		{question("open/3"), authz.Unauthenticated, "GET /open/3", " ", false},
		{question("open/"+tok, "Basic "+tok), authz.Unauthenticated, "GET /open/[redacted]", " ", false},
		{question("open//"+tok, "Bearer "+tok), authz.Malformed, "GET /open//[redacted]", " ", false},
		{question("a//b", "Bearer "+tok, "Bearer two"), authz.Malformed, "GET /a//b", " ", false},
		{entities, authz.Misconfigured, "read order:[redacted]", "web alice", true},
	} {
		d := w.point.Decide(t.Context(), c.q)
		if len(seen) != i+1 || d.Kind != c.kind {
			t.Fatalf("%d: %d decisions seen, the last is %s: %v", i, len(seen), d.Kind, d.Cause)
		}
		o := seen[i]
		if o.Decision.ID != d.ID || o.Method+" "+o.Path != c.asked || o.Client+" "+o.Subject != c.whose ||
			(o.Document != nil) != c.document || o.Policy == nil || o.Record.DecisionID != d.ID {
			t.Errorf("%d: got %s %s of %s %s, %v", i, o.Method, o.Path, o.Client, o.Subject, o.Document)
		}
		mustNotHold(t, "what is observed", o.Method+o.Path+fmt.Sprint(o.Decision.Cause), tok)
	}
}

func TestAnObserverThatPanicsChangesNothing(t *testing.T) {
	w := build(t, plan{answers: pass, observe: func(decision.Observed) { panic("the-raw-token") }})
	d := w.ask(t, "open", "Bearer "+w.grant(t, devissuer.Grant{}))
	w.expect(t, d, authz.Allow, http.StatusOK)
	if log := w.logger.String(); !strings.Contains(log, "observer of decisions panicked") ||
		strings.Contains(log, "the-raw-token") {
		t.Errorf("the log says %s", log)
	}
}

func TestTheCauseSaysHowFarATokenIsBeyondItsTime(t *testing.T) {
	now := time.Now()
	w := build(t, plan{answers: pass, ttl: time.Hour, now: func() time.Time { return now }})
	tok := w.grant(t, devissuer.Grant{TTL: 10 * time.Minute})
	w.expect(t, w.ask(t, "open", "Bearer "+tok), authz.Allow, http.StatusOK)
	now = now.Add(15 * time.Minute)
	d := w.ask(t, "open", "Bearer "+tok)
	if d.Cause == nil || !regexp.MustCompile(`^check token: it has expired: its exp was [45]m\d+s ago$`).
		MatchString(d.Cause.Error()) {
		t.Errorf("got %s, %v", d.Kind, d.Cause)
	}
}
