package document

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/input"
)

func TestUsageIsNeverLessThanWhatRulesRead(t *testing.T) {
	for rego, want := range map[string][]string{
		`decision if input.token.active`:                                        {"token.active"},
		`decision if input.token.auth.acr == "1"`:                               {"token.auth"},
		`decision if input["token"]["active"]`:                                  {"token.active"},
		`decision if { t := input.token; t.active }`:                            {"token"},
		`decision if { t := input.token; object.get(t, "active", false) }`:      {"token"},
		`decision if { some k; input.token[k] == true }`:                        {"token"},
		`decision if { some k; input[k].active }`:                               {""},
		`decision if walk(input, [_, true])`:                                    {""},
		`decision if f(input)` + "\nf(x) if x.token.active":                     {""},
		`decision if f(input.token)` + "\nf(x) if x.active":                     {"token"},
		`decision := {"allow": true, "context": {"p": input.request.path}}`:     {"request.path"},
		`decision if not input.context.x`:                                       {"context"},
		`decision if { every s in input.token.scopes { s != "" } }`:             {"token.scopes"},
		`decision if count([h | h := input.request.headers[_]]) == 0`:           {"request.headers"},
		`decision if input.request.headers["x-a"][0] == "b"`:                    {"request.headers.x-a"},
		`decision if input.request.query.a == input.request.segments`:           {"request.query.a", "request.segments"},
		`decision if { h := input.request.headers; h["x-a"][0] == "b" }`:        {"request.headers"},
		`decision if input.request.headers[input.request.method]`:               {"request.headers", "request.method"},
		`decision if input.token.claims["x"].y`:                                 {"token.claims"},
		`decision if x with input.token.active as true` + "\nx if input.token":  {"token", "token.active"},
		`decision if x with input as {}` + "\nx if true":                        {""},
		`decision if data.n[input.request.method]` + "\nn := 1":                 {"request.method"},
		`decision := $"{input.token.tenant}" == "x"`:                            {"token.tenant"},
		"default decision := false\ndecision if false\nother if input.token.id": {"token.id"},
		"import input.token as t\ndecision if t.active":                         {"token.active"},
		"decision if false\nelse := true if input.token.stale":                  {"token.stale"},
		"decision if x[input.token.tenant]\nx contains input.request.host":      {"request.host", "token.tenant"},
	} {
		p := policyText(t, rego)
		if got := slices.Sorted(maps.Keys(p)); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q, want %q", rego, got, want)
		}
	}
}

// policyText returns what a module of package authz reads.
func policyText(t *testing.T, text string) Usage {
	t.Helper()
	c := ast.NewCompiler()
	m, err := ast.ParseModuleWithOpts("p.rego", "package authz\n\n"+text+"\n",
		ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if c.Compile(map[string]*ast.Module{"p.rego": m}); c.Failed() {
		t.Fatalf("%s: %v", text, c.Errors)
	}
	return UsageOf(c)
}

// TestAViewDiffersFromTheDocumentOnlyInWhatIsNotRead takes away each member that is not read, and no other.
func TestAViewDiffersFromTheDocumentOnlyInWhatIsNotRead(t *testing.T) {
	for _, r := range []Usage{
		{"": true}, {}, {"token": true}, {"token.active": true, "request.path": true},
		{"context": true, "token.claims": true, "token.age": true}, {"version": true, "request": true},
		{"request.headers.x-a": true, "request.headers.x.b": true, "request.query.x-a": true, "request.query.x": true},
		{"request.headers.x-a": true, "request.headers": true, "request.query.x-c": true},
		{"request.headers.x-a": true, "request": true},
	} {
		for i := range 50 {
			d := filled(stream(fmt.Sprint(i)))
			if i%2 == 0 {
				d.Request.Headers = map[string][]string{"x-a": {"1", "2"}, "x.b": {"3"}, "x": {"4"}}
				d.Request.Query = d.Request.Headers
			}
			whole, err := documentValue(d)
			if err != nil {
				t.Fatal(err)
			}
			part, err := NewView(r).Value(d)
			if err != nil {
				t.Fatal(err)
			}
			if want := cut(whole.(ast.Object), r, ""); part.Compare(want) != 0 {
				t.Fatalf("%v: got %v, want %v", r, part, want)
			}
		}
	}
}

// cut is the slow way to a view.
func cut(o ast.Object, r Usage, within string) ast.Object {
	out := ast.NewObject()
	o.Foreach(func(k, v *ast.Term) {
		name := string(k.Value.(ast.String))
		switch {
		case r[""] || r[within] && within != "" || within == "" && r[name] || within != "" && r[within+"."+name]:
			out.Insert(k, v)
		case within == "" && r.below(name):
			out.Insert(k, ast.NewTerm(cut(v.Value.(ast.Object), r, name)))
		case within == "request" && r.below(within+"."+name):
			out.Insert(k, ast.NewTerm(cut(v.Value.(ast.Object), r, within+"."+name)))
		}
	})
	return out
}

// A policy that names many header fields has all of them converted: looking for each would cost more.
func TestManyNamesOfHeadersAreAllHeaders(t *testing.T) {
	usage := Usage{}
	for i := range maxNamed + 1 {
		usage[fmt.Sprint("request.headers.x-", i)] = true
	}
	d := input.Build(input.Query{Request: input.Request{Headers: map[string][]string{"x-0": {"a"}, "other": {"b"}}}},
		arbitraryClaims(1), input.Presented{}, began)
	got, err := NewView(usage).Value(d)
	if want := `{"request": {"headers": {"other": ["b"], "x-0": ["a"]}}}`; err != nil || got.String() != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
}

// TestATokenKeptForOneViewIsNotShownToAnother is the reload of a policy that reads more.
func TestATokenKeptForOneViewIsNotShownToAnother(t *testing.T) {
	claims := arbitraryClaims(3)
	doc := input.Build(input.Query{}, claims, input.Presented{Scheme: "bearer"}, began)
	narrow, wide := NewView(Usage{"token.active": true}), NewView(Usage{"token": true})
	for _, v := range []*View{narrow, wide, narrow, wide} {
		got, err := v.Value(doc)
		if err != nil {
			t.Fatal(err)
		}
		members := got.(ast.Object).Get(ast.StringTerm("token")).Value.(ast.Object).Len()
		if (members > 1) != (v == wide) {
			t.Errorf("%d members for the view of %q", members, v.name)
		}
	}
}
