package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// callersPolicies are an ordinary policy, and the example of OPA's documentation.
var callersPolicies = map[string]string{
	"policies/authz/decision.rego": `package authz

# METADATA
# entrypoint: true
default decision := false

decision if input.token.active
`,
	"policies/app/authz.rego": `package app.authz

default allow := false

allow if input.subject == "alice"

allow if input.token.active

roles := data.app.roles[input.subject]

name := input.user.name

ratio := 1 / input.zero
`,
	"policies/app/data.json": `{"roles": {"alice": ["read", "write"]}}`,
}

func askCallers(t *testing.T, p *Policy, path, in string) (string, error) {
	t.Helper()
	var body []byte
	if in != "" {
		body = []byte(in)
	}
	r, err := p.Ask(t.Context(), CallerQuestion{Path: strings.Split(path, "/"), Input: body})
	if err != nil || r.Empty() {
		return "", err
	}
	text, err := r.AppendJSON(nil)
	return string(text), err
}

func TestAPackageOfCallersGetsTheirInputAsItCame(t *testing.T) {
	p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}}, callersPolicies)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, in, want string }{
		{"app/authz/allow", `{"subject":"alice"}`, `true`},
		{"app/authz/allow", `{"subject":"bob"}`, `false`},
		{"app/authz/allow", `{"token":{"active":true}}`, `true`},
		{"app/authz/allow", ``, `false`},
		{"app/authz/allow", `["no object"]`, `false`},
		{"app/authz/roles", `{"subject":"alice"}`, `["read","write"]`},
		{"app/authz/roles/1", `{"subject":"alice"}`, `"write"`},
		{"app/authz/roles/2", `{"subject":"alice"}`, ``},
		{"app/authz/roles/x", `{"subject":"alice"}`, ``},
		{"app/authz/roles", `{"subject":"bob"}`, ``},
		{"app/authz/no", `{}`, ``},
		{"app/authz/0", `{}`, ``},
		{"app/authz/allow/x", `{}`, ``},
		{"app/roles", `{}`, `{"alice":["read","write"]}`},
		{"app/authz", `{"user":{"name":"a"}}`, `{"allow":false,"name":"a"}`},
	} {
		if got, err := askCallers(t, p, c.path, c.in); err != nil || got != c.want {
			t.Errorf("%s %s: %s %v, want %s", c.path, c.in, got, err, c.want)
		}
	}
	if _, err := askCallers(t, p, "app/authz/ratio", `{"zero":0}`); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("a builtin that fails: %v", err)
	}
}

func TestThePolicyKeepsTheSourcesOfAllItsModules(t *testing.T) {
	p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}}, callersPolicies)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Modules() {
		if callersPolicies[f.Path] != string(f.Raw) {
			t.Errorf("%s: %s", f.Path, f.Raw)
		}
	}
	if n := len(p.Modules()); n != 2 {
		t.Errorf("%d modules", n)
	}
}

func TestNothingElseIsAskedWithAnInputOfCallers(t *testing.T) {
	p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app/authz"}}, callersPolicies)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"authz/decision", "authz", "app", "app/roles", "app/authz2", "", "app.authz",
		"app/authz\"]"} {
		if p.AskedByCallers(strings.Split(path, "/")) {
			t.Errorf("%q may be asked", path)
		}
		if got, err := askCallers(t, p, path, `{"token":{"active":true}}`); err == nil {
			t.Errorf("%q is %q", path, got)
		}
	}
	if p.Has("app/authz/allow") {
		t.Error("a package of callers has an entrypoint")
	}
}

func TestPackagesOfCallersAndOthersUseNothingOfEachOther(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"app/x.rego": {"policies/app/x.rego": "package app.x\n\nallow if data.authz.decision\n"},
		"app/y.rego": {"policies/app/y.rego": "package app.y\n\nimport data.authz as a\n\nallow if a.decision\n"},
		"app/z.rego": {"policies/app/z.rego": "package app.z\n\nallow if data[input.p].decision\n"},
		"app/w.rego": {"policies/app/w.rego": "package app.w\n\nall := data.authz\n"},
		"b/b.rego":   {"policies/b/b.rego": "package b\n\nallow if data.app.authz.allow\n"},
	} {
		files := map[string]string{}
		for path, text := range callersPolicies {
			files[path] = text
		}
		for path, text := range more {
			files[path] = text
		}
		_, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}}, files)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), CodeCallers) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEvaluationForACallerIsExplainedAsOPAExplainsIt(t *testing.T) {
	p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}}, map[string]string{
		"policies/own.rego": "package authz\n\n# METADATA\n# entrypoint: true\ndefault decision := false\n",
		"policies/app.rego": "package app\n\nallow if {\n\ttrace(\"seen\")\n\tinput.x == 1\n}\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, in, mode string
		pretty         bool
		has, hasNot    string
	}{
		{"allow", `{"x":1}`, "full", false, `"op":"enter"`, `"op":"fail"`},
		{"allow", `{"x":1}`, "full", true, `Enter data.app.allow`, `"op"`},
		{"allow", `{"x":1}`, "notes", true, `seen`, `Eval`},
		{"allow", `{"x":1}`, "debug", false, `"op":"enter"`, `"op":"nothing"`},
		{"allow", `{"x":2}`, "full", false, `"op":"fail"`, `nothing`},
		{"allow", `{"x":2}`, "notes", false, ``, `seen`},
	} {
		trace := &Trace{Mode: c.mode, Pretty: c.pretty}
		_, err := p.Ask(t.Context(), CallerQuestion{Path: []string{"app", c.path}, Input: []byte(c.in), Trace: trace})
		got := string(trace.JSON)
		if err != nil || !strings.Contains(got, c.has) || strings.Contains(got, c.hasNot) {
			t.Errorf("%s %s as %s: %s, %v", c.path, c.in, c.mode, got, err)
		}
	}
}

// TestTheIndexLeavesOutNoRuleOfACaller has rules that OPA's index leaves out although they hold.
func TestTheIndexLeavesOutNoRuleOfACaller(t *testing.T) {
	for _, rule := range []string{
		`denied if { some x in [input.v, "z"]; x == 1.0; data.app.names[x] }`,
		`denied if { x := abs(input.v); x in input.list; x == 1 }`,
		`denied if data.app.names[input.v]`,
	} {
		p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}}, map[string]string{
			"policies/authz.rego":    allowAll,
			"policies/app.rego":      "package app\n\ndefault denied := false\n\n" + rule + "\n",
			"policies/app/data.json": `{"names":{"1":"x"}}`,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := askCallers(t, p, "app/denied", `{"v":1,"list":[2,1]}`); err != nil || got != "true" {
			t.Errorf("%s: %s, %v", rule, got, err)
		}
	}
}
