package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Each function f is called by a decision. Its values are kept with a token where nothing but the token, data and its
// arguments decides them.
func TestCallsThatFollowFromTheTokenAreKept(t *testing.T) {
	for rules, want := range map[string]string{
		`f(a) if a == input.token.tenant`:                                         "[data.authz.f]",
		`f(a) := [a, input.token.tenant]`:                                         "[data.authz.f]",
		"f(a) if g(a)\n\ng(a) if a == input.token.tenant":                         "[data.authz.f]",
		"default f(_) := false\n\nf(a) if a in input.token.roles":                 "[data.authz.f]",
		"f(a) := v if v := y with input.token as {\"id\": a}\n\ny := input.token": "[data.authz.f]",
		"f(a) if x == a\n\nx := input.token.tenant if input.token.active":         "[data.authz.f]",
		`f(a) if a == 1`:                                                               "[]",
		`f(a) if a == input.request.method`:                                            "[]",
		"f(a) if g(a)\n\ng(a) if a == input.request.method":                            "[]",
		"f(a) := [a, input.request.method, g(a)]\n\ng(a) if a == input.token.id":       "[data.authz.g]",
		"f(a) := [a, v] if v := y with input.token as {}\n\ny := input.request.method": "[]",
		`f(a) := [a, input.token.tenant, time.now_ns()]`:                               "[]",
		`f(a) if a == input`:                                                           "[]",
	} {
		p := policy(t, patient, "default decision := false\n\ndecision if f(input.context.v)\n\n"+rules+"\n")
		kept := []string{}
		if of := p.entries[decisionPath].token; of != nil {
			for _, name := range of.operators {
				kept = append(kept, name.String())
			}
		}
		if got := fmt.Sprint(kept); got != want {
			t.Errorf("%s: %s is kept, want %s", rules, got, want)
		}
	}
}

const grants = `
decision := {"allow": true, "context": {"value": v}} if {
	v := granted(input.context.v)
} else := {"allow": false}

granted(a) := [input.token.subject.id, json.marshal([a])] if not refused(a)

refused(a) if a == input.token.subject.id
`

// TestKeptCallsChangeNoAnswer has more arguments than are kept, of all types, and numbers that are equal and written
// in two ways.
func TestKeptCallsChangeNoAnswer(t *testing.T) {
	p := policy(t, patient, grants)
	args := []string{"1", "1.0", "1e0", `"1"`, "[1]", "[1.0]", `{"a":1}`, `{"a":1.0}`, "null", "false", "true", `""`,
		`"u0"`, `["u0"]`, `"u1"`, `[]`, `{}`, `{"a":[]}`}
	for i := range 2 * maxKeptCalls {
		args = append(args, fmt.Sprintf(`"v%d"`, i))
	}
	for i := range 3 {
		for _, subject := range []string{"u0", "u1"} {
			// One document a subject, so that its token is the same.
			d := requestOf(subject, "GET")
			for n := range args {
				next := *d
				next.Context = []byte(`{"v":` + args[(n+i*7)%len(args)] + `}`)
				sameAsPlain(t, p, &next)
			}
		}
	}
}

// TestACallIsKeptWhenItsArgumentsTellItApart asks about one argument after another, with one token.
func TestACallIsKeptWhenItsArgumentsTellItApart(t *testing.T) {
	p := policy(t, patient, grants)
	e, d := p.entries[decisionPath], requestOf("u", "GET")
	var kept []string
	for _, arg := range []string{
		`"a"`, `"a"`, "1", `["a",1]`, `{"a":[1]}`, `["a",null,true]`, `{"b":{"c":[]}}`,
		`"` + strings.Repeat("x", maxKeptValue) + `"`,
	} {
		d.Context = []byte(`{"v":` + arg + `}`)
		in, err := p.view.Value(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.eval(t.Context(), in, evalOptions{time: start}); err != nil {
			t.Fatal(err)
		}
		kept = nil
		for _, call := range e.token.slot(in.(ast.Object).Get(tokenName)).Load().calls {
			kept = append(kept, call.ref[1].String())
			if size := term.Size(call.value.Value); size > maxKeptValue {
				t.Errorf("a value of %d bytes is kept", size)
			}
		}
	}
	if want := []string{`"a"`, `["a", null, true]`, `{"b": {"c": []}}`}; !slices.Equal(kept, want) {
		t.Errorf("%v are kept, want %v", kept, want)
	}
}
