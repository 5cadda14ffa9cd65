package decision_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// visible is a filter that knows the token, one of a package of callers, and one whose mask is undefined.
var visible = map[string]string{
	"policy.rego": byData, "data.json": `{"answers": {}}`,
	"orders/visible.rego": `package orders

# METADATA
# compile:
#   unknowns: [input.context]
visible if {
	input.token.active
	input.context.owner == input.token.subject.id
}

# METADATA
# compile:
#   unknowns: [input.context]
#   mask_rule: masks
masked if input.context.owner == input.token.subject.id

masks := {"context": {"price": {"replace": {"value": "x"}}}} if input.token.client_id == "other"

# METADATA
# compile:
#   unknowns: [input.context]
everything if not input.context.owner == "x"

everything if true
`,
	"app/app.rego": `package app

include if input.orders.owner == input.token.subject.id

include if not input.token.active
`,
}

func filterable(t *testing.T, p plan) *world {
	t.Helper()
	w := build(t, p)
	policy := compileConfig(t, engine.Config{Deadline: 5 * time.Second, CallerPackages: []string{"app"},
		Filters: true},
		visible)
	w.point.Swap(&decision.Snapshot{Introspector: w.asker, Policy: policy})
	return w
}

var sql = engine.FilterOptions{Targets: []engine.FilterTarget{{Name: "sql", Dialect: "postgresql"}}}

func (w *world) filter(t *testing.T, tok, path string) (authz.Decision, *engine.Filter) {
	t.Helper()
	return w.point.Filter(t.Context(), authz.Query{Token: secret.New(tok), Entrypoint: path,
		Request: authz.Request{Method: "GET", URL: "https://api.example/orders"}}, strings.Split(path, "/"), sql)
}

func textOf(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func TestAFilterKnowsWhatTheServerSaysOfTheToken(t *testing.T) {
	w := filterable(t, plan{ttl: time.Minute})
	d, f := w.filter(t, w.grant(t, devissuer.Grant{ClientID: "c", Subject: "ann"}), "orders/visible")
	const want = `{"query":"WHERE context.owner = E'ann'"}`
	if f == nil || string(f.Result) != want || d.Kind != authz.Allow {
		t.Fatalf("%v %+v, want %s", d, f, want)
	}
	e := w.event(t, d.ID)
	if e.Path != "orders/visible" || e.Custom.Type != "open-policy-agent/compile" || textOf(e.Result) != want ||
		!strings.Contains(textOf(e.Input), `"ann"`) {
		t.Errorf("the event is %+v", e)
	}
}

func TestNothingButADecidedFilterIsAnswered(t *testing.T) {
	w := filterable(t, plan{ttl: time.Minute})
	tok := w.grant(t, devissuer.Grant{ClientID: "c", Subject: "ann"})
	for _, c := range []struct {
		token, path string
		kind        authz.Kind
	}{
		{"", "orders/everything", authz.Unauthenticated},
		{"a-token-that-nothing-knows", "orders/everything", authz.Unauthenticated},
		{"a token", "orders/everything", authz.Malformed},
		{tok, "orders/masked", authz.Misconfigured}, // the mask is undefined
		{tok, "orders/no", authz.Misconfigured},
		{tok, "app/include", authz.Misconfigured},
	} {
		if d, f := w.filter(t, c.token, c.path); f != nil || d.Kind != c.kind {
			t.Errorf("%q %s: %v %v %+v, want %s", c.token, c.path, d.Kind, d.Cause, f, c.kind)
		}
	}
	w.point.Withhold(authz.Errorf(authz.Unavailable, "the policies are stale"))
	if d, f := w.filter(t, tok, "orders/everything"); f != nil || d.Kind != authz.Unavailable {
		t.Errorf("while decisions are withheld: %v %+v", d, f)
	}
}

func TestAFilterDuringAnOutageIsNone(t *testing.T) {
	w := filterable(t, plan{ttl: time.Minute})
	tok := w.grant(t, devissuer.Grant{ClientID: "c", Subject: "ann"})
	w.issuer.SetFault(func(*http.Request) *devissuer.Fault { return &devissuer.Fault{Then: devissuer.Close} })
	if d, f := w.filter(t, tok, "orders/everything"); f != nil || d.Kind != authz.Unavailable {
		t.Errorf("%v %+v", d, f)
	}
	q := decision.CallerQuery{Path: []string{"app", "include"}, Input: []byte(`{"token":"` + tok + `"}`),
		Token: secret.New(tok)}
	if d, f := w.point.FilterOwn(t.Context(), q, sql); f != nil || d.Kind != authz.Unavailable {
		t.Errorf("with an input of the caller's own: %v %+v", d, f)
	}
}

func TestTheTokenOfACallersFilterIsKnown(t *testing.T) {
	w := filterable(t, plan{ttl: time.Minute})
	tok := w.grant(t, devissuer.Grant{ClientID: "c", Subject: "ann"})
	q := decision.CallerQuery{Path: []string{"app", "include"}, Input: []byte(`{"token":"` + tok + `"}`),
		Token: secret.New(tok)}
	o := sql
	o.Unknowns = []string{"input.orders"}
	if d, f := w.point.FilterOwn(t.Context(), q, o); f == nil || d.Kind != authz.Allow ||
		string(f.Result) != `{"query":"WHERE orders.owner = E'ann'"}` {
		t.Errorf("%v %+v", d, f)
	}
	for _, unknown := range []string{"input", "input.token", "input.token.active"} {
		o.Unknowns = []string{unknown}
		if d, f := w.point.FilterOwn(t.Context(), q, o); f != nil || d.Kind != authz.Malformed {
			t.Errorf("%s: %v %+v", unknown, d, f)
		}
	}
	o = engine.FilterOptions{Query: "data.app.include"}
	if d, f := w.point.FilterOwn(t.Context(), q, o); f != nil || d.Kind != authz.Malformed {
		t.Errorf("without unknowns: %v %+v", d, f)
	}
}

func TestAQueryIsAnsweredAndLoggedWithoutItsText(t *testing.T) {
	w := filterable(t, plan{ttl: time.Minute})
	d, rows := w.point.Query(t.Context(), decision.CallerQuery{Input: []byte(`{"a":"seen"}`)},
		`x := input.a; "hidden" != x`)
	if string(rows) != `[{"x":"seen"}]` || d.Kind != authz.Allow {
		t.Errorf("%v %s", d, rows)
	}
	if e := w.event(t, d.ID); e.Custom.Type != "query" || textOf(e.Result) != `[{"x":"seen"}]` {
		t.Errorf("the event is %+v", e)
	}
	if d, rows := w.point.Query(t.Context(), decision.CallerQuery{}, `false; true`); rows != nil ||
		d.Kind != authz.Deny {
		t.Errorf("%v %s", d, rows)
	}
	if d, rows := w.point.Query(t.Context(), decision.CallerQuery{}, `data.answers = x`); rows != nil ||
		d.Kind != authz.Malformed {
		t.Errorf("%v %s", d, rows)
	}
	if written := w.close(t); strings.Contains(written, "hidden") {
		t.Error("the log has the text of a query")
	}
}
