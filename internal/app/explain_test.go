package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/explain"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// explanation is what the tests read of the answer of POST /v1/explain.
type explanation struct {
	Decision    answer `json:"decision"`
	Text        string `json:"text"`
	Explanation struct {
		Reasons []struct {
			Code, Rule, File string
			Row              int
		} `json:"reasons"`
	} `json:"explanation"`
}

func (w *world) explain(t *testing.T, request string) explanation {
	t.Helper()
	body, err := w.send(t.Context(), "POST", w.admin+"/v1/explain", request)
	if err != nil {
		t.Fatal(err)
	}
	var out explanation
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func about(method, url, token, tenant string) string {
	authorization := ""
	if token != "" {
		authorization = `"authorization":["Bearer ` + token + `"],`
	}
	return `{"request":{"method":"` + method + `","url":"` + url + `","headers":{` + authorization + `"x-tenant":["` +
		tenant + `"]}}}`
}

func TestEachReasonOfTheShippedPoliciesIsExplained(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Decision.Token = "optional"
		folder := filepath.Join(t.TempDir(), "example")
		if err := os.CopyFS(folder, os.DirFS("../../bundles/example")); err != nil {
			t.Fatal(err)
		}
		c.Policies.Bundles = []string{folder}
	})
	with := func(change func(*devissuer.Grant)) string {
		g := good()
		change(&g)
		return w.token(t, g)
	}
	writer := func(g *devissuer.Grant) { g.Scopes = []string{"orders:write"} }
	const order = "https://api.example/orders/42"
	for code, c := range map[string]struct{ request, rule, want string }{
		"no_route": {about("GET", "https://api.example/nothing", w.token(t, good()), "acme"), "obstacle",
			"stopped at routes.sound(routes.route): routes.route is undefined"},
		"no_credential": {about("GET", order, "", "acme"), "obstacle",
			"stopped at input.token.active: input.token.active is false"},
		"wrong_audience": {about("GET", order, with(func(g *devissuer.Grant) { g.Audience = []string{"other-api"} }),
			"acme"), "obstacle", `ours is ["orders-api"], input.token.audiences is ["other-api"]`},
		"wrong_tenant": {about("GET", order, w.token(t, good()), "globex"), "unmet",
			`input.request.headers["x-tenant"] is ["globex"], [input.token.tenant] is ["acme"]`},
		"insufficient_scope": {about("GET", order, with(writer), "acme"), "unmet",
			`scope is "orders:read", input.token.scopes is ["orders:write"]`},
		"missing_role": {about("DELETE", order, with(writer), "acme"), "unmet",
			`role is "orders-admin", input.token.roles is []`},
		"insufficient_user_authentication": {about("DELETE", order, with(func(g *devissuer.Grant) {
			writer(g)
			g.Roles = []string{"orders-admin"}
		}), "acme"), "unmet", "input.token.auth.acr is undefined"},
		"maintenance": {about("POST", "https://api.example/orders", with(func(g *devissuer.Grant) {
			writer(g)
			g.Tenant = "initech"
		}), "initech"), "reasons", "stopped at not data.example.maintenance.frozen"},
	} {
		t.Run(code, func(t *testing.T) {
			got := w.explain(t, c.request)
			found := false
			for _, r := range got.Explanation.Reasons {
				found = found || r.Code == code && r.Rule == "data.authz."+c.rule &&
					strings.HasSuffix(r.File, "authz/denial.rego") && r.Row > 0
			}
			if !found {
				t.Errorf("reasons %+v", got.Explanation.Reasons)
			}
			if !strings.Contains(got.Text, c.want) || strings.Count(got.Text, "\n") > 10 {
				t.Errorf("%q is not in\n%s", c.want, got.Text)
			}
		})
	}
}

func TestAWrongTokenKindIsExplained(t *testing.T) {
	_, policy, err := Load(t.Context(), defaults(t, "https://as.example"))
	if err != nil {
		t.Fatal(err)
	}
	claims := &authz.Claims{Active: true, Kind: authz.RefreshToken, Fetched: time.Now()}
	doc := input.Build(input.Query{Request: input.Request{Method: "GET", Path: "/orders", RawPath: "/orders",
		Segments: []string{"orders"}}}, claims, input.Presented{Scheme: "bearer"}, time.Now())
	result, why, err := policy.Explain(t.Context(), engine.Question{Entrypoint: "authz/decision", Document: doc,
		Time: time.Now(), Seed: "01ARZ3NDEKTSV4RRFFQ69G5FAV"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := result.Verdict()
	if err != nil {
		t.Fatal(err)
	}
	report := explain.Of(authz.Decision{Kind: authz.Deny, Status: 401, Reasons: v.Reasons}, why, explain.Facts{})
	text := report.Brief("")
	if !strings.Contains(text, "wrong_token_kind  data.authz.obstacle") ||
		!strings.Contains(text, `data.authz.misused holds by input.token.kind == "refresh"`) {
		t.Errorf("explained as\n%s", text)
	}
}

func TestAnExplanationAsksTheServerAndIsNotLogged(t *testing.T) {
	w := start(t, nil)
	calls := w.issuer.Calls()
	got := w.explain(t, call(w.token(t, good())))
	if !got.Decision.Allow || w.issuer.Calls() != calls+1 ||
		!strings.HasPrefix(got.Text, "allow 200\ndecided by   data.authz.decision  ") {
		t.Errorf("answered %+v after %d questions", got, w.issuer.Calls()-calls)
	}
	denied := w.explain(t, call("unknown"))
	if denied.Decision.Allow || !strings.Contains(denied.Text, "\ncause        check token: it is not active\n") {
		t.Errorf("answered %+v", denied)
	}
	before := w.get(t, "/metrics")
	if err := w.stopped(t); err != nil {
		t.Fatal(err)
	}
	if logged := w.logged(t); len(logged) != 0 {
		t.Errorf("the decision log has %v", logged)
	}
	for line := range strings.Lines(before) {
		if strings.HasPrefix(line, "sidecar_decision_decisions_total") && !strings.HasSuffix(line, " 0\n") {
			t.Errorf("counted: %s", line)
		}
	}
}

func TestPrintIsInTheLogAtDebugWithItsDecision(t *testing.T) {
	w := &world{}
	w.start(t, func(c *config.Config) {
		file := filepath.Join(c.Policies.Paths[0], "authz", "trace.rego")
		if err := os.WriteFile(file, []byte(`package authz

# METADATA
# entrypoint: true
spoken := true if print("asked for", input.request.path)
`), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Decision.Entrypoint = "authz/spoken"
	})
	a := w.ask(t, w.token(t, good()))
	if !a.Allow {
		t.Fatalf("answered %v", a)
	}
	log := w.logger.String()
	if !strings.Contains(log, `msg="policy prints" text="asked for /orders/42"`) || !strings.Contains(log, a.ID) {
		t.Errorf("the log has\n%s", log)
	}
}
