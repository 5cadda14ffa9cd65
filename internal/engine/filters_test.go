package engine

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// filterPolicies have a filter in a package of callers, and one of facts about the token.
var filterPolicies = map[string]string{
	"policies/authz/decision.rego": `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true} if input.token.active
`,
	"policies/orders/visible.rego": `package orders

# METADATA
# scope: document
# compile:
#   unknowns: [input.context]
#   mask_rule: masks
visible if {
	"orders:read" in input.token.scopes
	input.context.owner == input.token.subject.id
}

visible if "orders:admin" in input.token.scopes

default masks := {}

masks := {"context": {"price": {"replace": {"value": "***"}}}} if not "orders:admin" in input.token.scopes

# METADATA
# compile:
#   unknowns: [input.orders, input.customers]
rows if {
	input.orders.customer == input.customers.id
	input.customers.tenant == input.token.subject.id
}

# METADATA
# compile:
#   unknowns: [input.orders.hidden]
shown if not input.orders.hidden == true

# not declared as a filter
helper if input.context.owner == "x"
`,
	"policies/app/filters.rego": `package app.filters

# METADATA
# scope: document
# compile:
#   unknowns: [input.fruits]
include if {
	input.fruits.name in data.app.names[input.user]
}

include if {
	input.fruits.price < input.max
	startswith(input.fruits.name, "a")
}

include if input.admin

upper_only if upper(input.fruits.name) == "A"

failing if input.fruits.price > 1 / input.zero
`,
	"policies/app/data.json":    `{"names": {"ann": ["fig", "kiwi"]}}`,
	"policies/secret/data.json": `{"key": "k"}`,
}

func withFilters(t *testing.T) *Policy {
	t.Helper()
	p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}, Filters: true},
		filterPolicies)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var postgres = []FilterTarget{{"sql", "postgresql"}}

func TestAFilterOfCallersIsThatOfOPA(t *testing.T) {
	p := withFilters(t)
	for in, want := range map[string]string{
		`{"user":"ann"}`:     `{"query":"WHERE fruits.name IN (E'fig', E'kiwi')"}`,
		`{"max":3}`:          `{"query":"WHERE (fruits.price \u003c E'3' AND fruits.name LIKE E'a%')"}`,
		`{"admin":true}`:     `{"query":""}`,
		`{"user":"nobody1"}`: ``,
		``:                   ``,
	} {
		q := FilterQuestion{Path: []string{"app", "filters", "include"},
			FilterOptions: FilterOptions{Targets: postgres}}
		if in != "" {
			q.Input = []byte(in)
		}
		got, err := p.Filter(t.Context(), q)
		if err != nil || string(got.Result) != want || got.Never != (want == "") {
			t.Errorf("%s: %s %v, want %s", in, got.Result, err, want)
		}
	}
}

func documentOf(scopes ...string) *input.Document {
	return input.Build(input.Query{Request: input.Request{Method: "GET", Path: "/orders", RawPath: "/orders",
		Segments: []string{"orders"}}}, &authz.Claims{Active: true, Subject: authz.Subject{ID: "ann"}, Scopes: scopes},
		input.Presented{Scheme: "bearer"}, trialTime)
}

func TestAFilterOfAnOrdinaryPackageKnowsTheFactsAboutTheToken(t *testing.T) {
	p := withFilters(t)
	for _, c := range []struct {
		scope, want string
	}{
		{"orders:read",
			`{"query":"WHERE context.owner = E'ann'","masks":{"context":{"price":{"replace":{"value":"***"}}}}}`},
		{"orders:admin", `{"query":""}`},
		{"x", ``},
	} {
		got, err := p.Filter(t.Context(), FilterQuestion{Path: []string{"orders", "visible"},
			Document:      documentOf(c.scope),
			FilterOptions: FilterOptions{Targets: postgres}})
		if err != nil || string(got.Result) != c.want {
			t.Errorf("%s: %s %v, want %s", c.scope, got.Result, err, c.want)
		}
	}
}

func TestAFilterOfAnOrdinaryPackageMayNameTables(t *testing.T) {
	p := withFilters(t)
	got, err := p.Filter(t.Context(), FilterQuestion{Path: []string{"orders", "rows"}, Document: documentOf(),
		FilterOptions: FilterOptions{Targets: postgres}})
	if want := `{"query":"WHERE (orders.customer = customers.id AND customers.tenant = E'ann')"}`; err != nil ||
		string(got.Result) != want {
		t.Errorf("%s %v, want %s", got.Result, err, want)
	}
	_, err = compiled(t, Config{Deadline: time.Minute},
		map[string]string{"policies/authz/decision.rego": `package authz

# METADATA
# entrypoint: true
default decision := false

decision if input.orders.owner == "x"
`})
	if err == nil || !strings.Contains(err.Error(), "input.orders") {
		t.Errorf("a name that no metadata have: %v", err)
	}
}

func TestWhatTheAuthorCallsUnknownRemainsSo(t *testing.T) {
	p := withFilters(t)
	for _, unknowns := range [][]string{nil, {"input.context"}, {"input.orders"}} {
		got, err := p.Filter(t.Context(), FilterQuestion{Path: []string{"orders", "shown"}, Document: documentOf(),
			FilterOptions: FilterOptions{Targets: postgres, Unknowns: unknowns}})
		if err != nil || string(got.Result) != `{"query":"WHERE NOT orders.hidden = TRUE"}` {
			t.Errorf("%q: %s %v", unknowns, got.Result, err)
		}
	}
}

func TestOnlyFiltersAndEntrypointsOfOrdinaryPackagesAreCompiled(t *testing.T) {
	p := withFilters(t)
	for path, want := range map[string]bool{"orders/visible": true, "authz/decision": true,
		"authz/decision/allow": true,
		"orders/helper":        false, "orders/masks": false, "orders": false, "secret/key": false,
		"": false, "app/filters/include": false} {
		if got := p.Filterable(strings.Split(path, "/")); got != want {
			t.Errorf("%q: %t", path, got)
		}
	}
}

func TestFactsCannotBeCalledUnknown(t *testing.T) {
	p := withFilters(t)
	for _, u := range []string{"input", "input.token", "input.token.scopes", "input.request", `input["request"].path`,
		"input.subject", "input.mcp", "data", "data.orders", "data.orders.visible", "data.authz", "data.secret",
		"data.secret.key", "input[x]", "x", "input.context[data.secret.key]", "input.context["} {
		_, err := p.Filter(t.Context(), FilterQuestion{Path: []string{"orders", "visible"},
			Document:      documentOf("orders:read"),
			FilterOptions: FilterOptions{Targets: postgres, Unknowns: []string{u}}})
		said, ok := errors.AsType[*QueryError](err)
		if !ok || said.Code != "invalid_parameter" || authz.KindOf(err) != authz.Malformed {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []string{"input.context", "input.resource", "input.orders", "data.elsewhere"} {
		if _, err := p.Filter(t.Context(), FilterQuestion{Path: []string{"orders", "visible"},
			Document:      documentOf("x"),
			FilterOptions: FilterOptions{Targets: postgres, Unknowns: []string{u}}}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestAnObjectThatDeniesIsNoConditionThatAlwaysHolds(t *testing.T) {
	p := withFilters(t)
	ask := func(path string) (Filter, error) {
		return p.Filter(t.Context(), FilterQuestion{Path: strings.Split(path, "/"), Document: documentOf(),
			FilterOptions: FilterOptions{Targets: postgres, Unknowns: []string{"input.context"}}})
	}
	if got, err := ask("authz/decision"); authz.KindOf(err) != authz.Malformed || got.Result != nil {
		t.Errorf("an object: %s %v", got.Result, err)
	}
	if got, err := ask("authz/decision/allow"); err != nil || got.Never {
		t.Errorf("its member: %s %v", got.Result, err)
	}
}

func TestFiltersAreCompiledAtTheSameTime(t *testing.T) {
	p := withFilters(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, q := range []FilterQuestion{
				{Path: []string{"app", "filters", "include"}, Input: []byte(`{"max":3}`),
					FilterOptions: FilterOptions{Targets: postgres}},
				{FilterOptions: FilterOptions{Query: "data.app.filters.upper_only"}},
				{Path: []string{"orders", "visible"}, Document: documentOf("orders:read"),
					FilterOptions: FilterOptions{Targets: postgres}},
			} {
				if f, err := p.Filter(t.Context(), q); err != nil || f.Never {
					t.Errorf("%q %q: %v", q.Path, q.Query, err)
				}
			}
		})
	}
	all.Wait()
}

func TestAPolicyThatIsNoFilterIsAnErrorWithItsPlace(t *testing.T) {
	p := withFilters(t)
	_, err := p.Filter(t.Context(), FilterQuestion{Path: []string{"app", "filters", "upper_only"},
		FilterOptions: FilterOptions{Targets: postgres, Unknowns: []string{"input.fruits"}}})
	said, ok := errors.AsType[*QueryError](err)
	if !ok || !strings.Contains(string(said.Errors), "pe_fragment_error") ||
		!strings.Contains(string(said.Errors), "app/filters.rego") ||
		strings.Contains(string(said.Errors), "bounded:") {
		t.Errorf("%v %s", err, said.Errors)
	}
	_, err = p.Filter(t.Context(), FilterQuestion{Path: []string{"app", "filters", "failing"},
		Input:         []byte(`{"zero":0}`),
		FilterOptions: FilterOptions{Targets: postgres, Unknowns: []string{"input.fruits"}}})
	if authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("a builtin that fails: %v", err)
	}
}

func TestAnUnknownOfMetadataMayHaveANumber(t *testing.T) {
	if err := new(askedFilter).mayBeUnknown(ast.MustParseRef("input[0]")); err != nil {
		t.Error(err)
	}
}
