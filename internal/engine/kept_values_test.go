package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// sameAsPlain compares the answer to a question with that of an evaluation without values that are kept.
func sameAsPlain(t *testing.T, p *Policy, d *input.Document) {
	t.Helper()
	e, q := p.entries[decisionPath], Question{Entrypoint: decisionPath, Document: d, Time: start, Seed: "s"}
	got := answerText(p.evalAnew(t.Context(), e, q, nil))
	if want := answerText(p.evalAnew(t.Context(), e.plain(), q, nil)); got != want {
		t.Fatalf("%s %q of %s: %s, want %s", d.Request.Method, d.Request.Segments, d.Token.Subject.ID, got, want)
	}
}

// requestOf is a document of a subject and a request.
func requestOf(subject, method string, segments ...string) *input.Document {
	claims := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Subject: authz.Subject{ID: subject}, Slot: new(authz.Slot),
	}
	q := input.Query{Request: input.Request{Method: method, Path: "/", Segments: segments}}
	return input.Build(q, claims, input.Presented{Scheme: "bearer"}, start)
}

func TestMoreTokensThanAreKeptHaveValuesOfTheirOwn(t *testing.T) {
	p := policy(t, patient, `
decision := {"allow": true, "context": {"who": who}}

who := concat(" ", ["subject", input.token.subject.id])
`)
	for i := range 2 * tokenSlots {
		sameAsPlain(t, p, requestOf(fmt.Sprint(i), "GET"))
	}
}

// TestMoreRequestsThanAreKeptHaveValuesOfTheirOwn has two rules, of which one tells methods apart and the other paths.
func TestMoreRequestsThanAreKeptHaveValuesOfTheirOwn(t *testing.T) {
	p := policy(t, patient, `
decision := {"allow": true, "context": {"by": by, "first": first, "named": named}}

default by := "none"

by := concat(" ", ["by", input.request.method]) if count(input.request.segments) == 2

default first := "none"

first := "orders" if input.request.segments = ["orders", _]

default named := false

named if input.request.segments[_] == input.request.method
`)
	if e := p.entries[decisionPath]; e.request == nil || len(e.request.refs) != 3 {
		t.Fatalf("%+v is kept, want three rules", e.request)
	}
	for i := range 2 * requestSlots {
		method := fmt.Sprint("M", i)
		for _, segments := range [][]string{{"orders", "1"}, {"a", "1"}, {"orders"}, {"a", method}, {"a", "a"}} {
			sameAsPlain(t, p, requestOf("u", method, segments...))
		}
	}
}

// TestAFailedEvaluationLeavesNoValues: a rule without a value must not seem undefined to the next evaluation.
func TestAFailedEvaluationLeavesNoValues(t *testing.T) {
	for name, rules := range map[string]string{
		"a builtin that fails on a token": `x := 1 if to_number(input.token.subject.id) == 7`,
		"a builtin that fails on a request": `x := 1 if {
	input.request.segments = ["orders", _]
	to_number(word) == 7
}

word := "seven"`,
		"two values by a token": "x := input.token.subject.id\n\nx := input.token.active",
		"two values by a request": `x := 1 if input.request.segments = [_, _]

x := 2 if input.request.segments[0] == "orders"`,
	} {
		p := policy(t, patient, `
default decision := true

decision := false if denied

denied if {
	input.request.method == "PUT" # as no request that is tried at the load
	x
}

`+rules+"\n")
		e := p.entries[decisionPath]
		if e.token == nil && e.request == nil {
			t.Errorf("%s: no rule is kept", name)
		}
		d := requestOf("u", "PUT", "orders", "1")
		for i := range 3 {
			q := Question{Entrypoint: decisionPath, Document: d, Time: start}
			if r, err := p.evalAnew(t.Context(), e, q, nil); err == nil {
				t.Errorf("%s: evaluation %d answers %v", name, i, r.value)
			}
		}
	}
}

// TestRulesWithOneValueAreKept has rules beside each other, and functions.
func TestRulesWithOneValueAreKept(t *testing.T) {
	const ab = "x := [a.b, input.request.method]\n\na.b := input.token.tenant"
	for rules, want := range map[string]string{
		"x := f(input.request.method)\n\nf(n) := [n, y]\n\ny := input.token.tenant": "[data.authz.y]",
		ab + "\n\na.c := input.token.id":                                            "[data.authz.a.b]",
		ab + "\n\na[k] := 1 if k := input.token.id":                                 "[data.authz.a.b]",
		ab + "\n\na[k] := 1 if k := input.request.method":                           "[]",
		"x := [a.b, input.request.method]\n\na.b contains input.token.tenant":       "[]",
	} {
		p := policy(t, patient, "default decision := false\n\ndecision if x == input.context.v\n\n"+rules+"\n")
		got := "[]"
		if kept := p.entries[decisionPath].token; kept != nil {
			got = fmt.Sprint(kept.refs)
		}
		if got != want {
			t.Errorf("%s: %s is kept, want %s", rules, got, want)
		}
	}
}

// TestAnExplanationAndAReachSeeRulesWhoseValuesAreKept asks for both after the values of all rules are known.
func TestAnExplanationAndAReachSeeRulesWhoseValuesAreKept(t *testing.T) {
	p := policy(t, patient, `
default decision := false

decision if {
	active
	first
}

active if input.token.active

first if input.request.segments = ["orders", _]
`)
	q := question("")
	explained := func() string {
		_, why, err := p.Explain(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(why)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := explained()
	for range 2 {
		answered(t, p, q)
	}
	if got := explained(); got != want {
		t.Errorf("explained by %s, before by %s", got, want)
	}
	followed, reach := p.Reached()
	answered(t, followed, q)
	fired := 0
	for _, o := range reach.Rules() {
		if o.Fired {
			fired++
		}
	}
	if fired != 3 {
		t.Errorf("%d rules of three had a value", fired)
	}
}

// TestARuleThatIsNotAskedForStaysUnknown has rules that some requests of one token, and of one path, do not come to.
func TestARuleThatIsNotAskedForStaysUnknown(t *testing.T) {
	p := policy(t, patient, `
default decision := false

decision if {
	input.request.method == "POST"
	known
	by
}

decision if {
	input.token.subject.id == "v"
	first
	second
}

known if input.token.present

by if input.token.subject.id == "u"

first if input.request.segments = ["orders", _]

second if not "admin" in input.request.segments
`)
	d := requestOf("u", "GET", "orders", "1")
	for _, method := range []string{"GET", "POST", "GET"} {
		next := *d
		next.Request.Method = method
		sameAsPlain(t, p, &next)
	}
	for _, subject := range []string{"u", "v", "u"} {
		sameAsPlain(t, p, requestOf(subject, "GET", "orders", "2"))
		sameAsPlain(t, p, requestOf(subject, "GET", "b", "2"))
	}
}

// TestAKeptValueIsSmallAndItsOwn has values that are parts of a long text.
func TestAKeptValueIsSmallAndItsOwn(t *testing.T) {
	p := policy(t, patient, `
default decision := false

decision if {
	id != input.context.v
	name != input.context.v
}

id := input.token.subject.id

name := input.token.subject.username
`)
	e, long := p.entries[decisionPath], strings.Repeat("a", 16<<10)
	d := requestOf(long[:9], "GET")
	d.Token.Subject.Username, d.Context = long, []byte(`{"v":1}`)
	in, err := p.view.Value(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.eval(t.Context(), in, evalOptions{time: start}); err != nil {
		t.Fatal(err)
	}
	known := e.token.slot(in.(ast.Object).Get(tokenName)).Load()
	for i, ref := range e.token.refs {
		kept := known.values[i]
		if small := ref.String() == "data.authz.id"; small != (kept != tooLarge) {
			t.Errorf("%v is kept: %t", ref, !small)
		} else if small {
			id := string(kept.value.Value.(ast.String))
			if id != long[:9] || unsafe.StringData(id) == unsafe.StringData(long) {
				t.Errorf("%q is a part of the token", id)
			}
		}
	}
}

func TestNoMoreRulesAreKeptThanARequestReads(t *testing.T) {
	for n, want := range map[int]bool{maxKeptRefs: true, maxKeptRefs + 1: false} {
		rules := "default decision := false\n"
		for i := range n {
			rules += fmt.Sprintf("\ndecision if x%d == input.context.v\n\nx%d := %d if input.request.segments = [_]\n", i, i, i)
		}
		if got := policy(t, patient, rules).entries[decisionPath].request != nil; got != want {
			t.Errorf("of %d rules some are kept: %t", n, got)
		}
	}
}

func TestALongPathHasNoKeptValues(t *testing.T) {
	p := policy(t, patient,
		"default decision := false\n\ndecision if x == 1\n\nx := 1 if input.request.segments = [_, \"orders\"]\n")
	e := p.entries[decisionPath]
	for n, want := range map[int]bool{4: true, maxRequestKey: false} {
		d := requestOf("u", "GET")
		for range n {
			d.Request.Segments = append(d.Request.Segments, "orders")
		}
		how := evalOptions{time: start, document: d}
		in, err := p.view.Value(d)
		if err != nil {
			t.Fatal(err)
		}
		if run := e.fill(e.evaluation(in, how), in, how); (run.request.of != nil) != want {
			t.Errorf("%d segments: kept is %t, want %t", n, !want, want)
		}
	}
}
