package decision_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

func TestExplainDecidesAlikeAndSaysWhy(t *testing.T) {
	const rego = `package authz

# METADATA
# entrypoint: true
default decision := false

decision if input.request.method == "POST"
`
	w := build(t, plan{rego: rego})
	x := w.point.Explain(t.Context(), question("open", "Bearer "+w.grant(t, devissuer.Grant{})))
	if d := x.Decision; d.Kind != authz.Deny || d.Status != http.StatusForbidden || d.ID == "" ||
		d.Policy.Digest == "" {
		t.Errorf("decided %+v", d)
	}
	for _, r := range x.Why.Rules {
		if r.Failed != nil && strings.HasSuffix(r.Failed.File, "policy.rego") && r.Failed.Row == 7 {
			return
		}
	}
	t.Errorf("nothing points to the expression that failed: %+v", x.Why.Rules)
}

func TestAnExplanationIsNoDecisionOfTheLog(t *testing.T) {
	w := build(t, plan{answers: pass})
	tok := w.grant(t, devissuer.Grant{})
	x := w.point.Explain(t.Context(), question("open", "Bearer "+tok))
	if x.Decision.Kind != authz.Allow {
		t.Fatalf("decided %+v", x.Decision)
	}
	d := w.ask(t, "open", "Bearer "+tok)
	if all := w.close(t); strings.Contains(all, x.Decision.ID) || !strings.Contains(all, d.ID) {
		t.Errorf("the log holds %s", all)
	}
}

func TestAnExplanationNamesTheHeadersThatPoliciesDoNotSee(t *testing.T) {
	w := build(t, plan{answers: pass})
	q := question("open", "Bearer "+w.grant(t, devissuer.Grant{}))
	q.Request.Headers["x-org"], q.Request.Headers["x-bay"] = []string{"acme"}, []string{"1"}
	q.Request.Headers["cookie"] = []string{"a=b"}
	if got := strings.Join(w.point.Explain(t.Context(), q).HiddenHeaders, " "); got != "x-bay x-org" {
		t.Errorf("hidden are %q", got)
	}
}

func TestPolicyMasksAndDropsItsOwnEvents(t *testing.T) {
	const rego = `package system.log

mask contains "/input/token/subject"

drop if input.input.request.path == "/quiet"
`
	w := build(t, plan{answers: map[string]any{"open": true, "quiet": true}})
	policy := compileWith(t, rego, `{"answers": {"open": true, "quiet": true}}`)
	w.point.Swap(&decision.Snapshot{Introspector: w.asker, Policy: policy})
	tok := w.grant(t, devissuer.Grant{})
	quiet := w.ask(t, "quiet", "Bearer "+tok)
	d := w.ask(t, "open", "Bearer "+tok)
	w.expect(t, d, authz.Allow, http.StatusOK)
	if e := w.event(t, d.ID); len(e.Erased) != 1 || e.Erased[0] != "/input/token/subject" {
		t.Errorf("erased %q", e.Erased)
	}
	if all := w.close(t); strings.Contains(all, quiet.ID) || strings.Contains(all, `"id":"alice"`) {
		t.Errorf("the log holds %s", all)
	}
}

func TestFailedMaskLeavesTheEventWithoutInput(t *testing.T) {
	w := build(t, plan{answers: pass})
	policy := compileWith(t, "package system.log\n\nmask contains 1\n", `{"answers": {"open": true}}`)
	w.point.Swap(&decision.Snapshot{Introspector: w.asker, Policy: policy})
	d := w.ask(t, "open", "Bearer "+w.grant(t, devissuer.Grant{}))
	w.expect(t, d, authz.Allow, http.StatusOK)
	if e := w.event(t, d.ID); e.Input != nil || e.Result != nil {
		t.Error("the event was written unmasked")
	}
}

func TestDecisionsAreTraced(t *testing.T) {
	spans := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		spans <- string(b)
	}))
	defer collector.Close()
	w := build(t, plan{answers: pass})
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.TraceConfig{Endpoint: collector.URL, Ratio: 1}, "test",
		telemetry.NewLogger(telemetry.LogConfig{}, w.logger))
	if err != nil {
		t.Fatal(err)
	}
	point := decision.New(decision.Config{Entrypoint: "authz/decision", Token: "required", Realm: "acme"},
		w.point.Snapshot(), decision.Deps{
			Input: input.NewRules(input.Config{}), DecisionLog: w.log,
			Log: telemetry.NewLogger(telemetry.LogConfig{}, w.logger), Tracer: tracer,
		})
	w.issuer.SetFault(func(*http.Request) *devissuer.Fault { return authserver.Answer(500, "", "") })
	d := point.Decide(t.Context(), question("open", "Bearer the-raw-token"))
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := <-spans
	for _, want := range []string{"decision", "introspect", d.ID, "unavailable", "status 500"} {
		if !strings.Contains(sent, want) {
			t.Errorf("the spans do not hold %q", want)
		}
	}
	mustNotHold(t, "trace", sent, "the-raw-token")
	if e := w.event(t, d.ID); len(e.TraceID) != 32 {
		t.Errorf("the event is of trace %q", e.TraceID)
	}
}

func TestDecisionsNeedNoDecisionLog(t *testing.T) {
	w := build(t, plan{answers: pass})
	point := decision.New(decision.Config{Entrypoint: "authz/decision", Token: "required"}, w.point.Snapshot(),
		decision.Deps{
			Input: input.NewRules(input.Config{}), DecisionLog: (*decisionlog.Log)(nil),
		})
	if d := point.Decide(context.Background(), question("open",
		"Bearer "+w.grant(t, devissuer.Grant{}))); d.Kind != authz.Allow {
		t.Errorf("got %s", d.Kind)
	}
}
