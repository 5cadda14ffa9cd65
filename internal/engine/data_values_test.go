package engine

import (
	"fmt"
	"strings"
	"testing"
)

// Each rule x is used by a decision. It is kept where nothing but data decides it.
func TestRulesThatFollowFromDataAloneAreKept(t *testing.T) {
	for rule, want := range map[string]bool{
		`x := {"a", "b"}`: true,
		`x := {u | some u, v in data.users; v.blocked}`:                                   true,
		`x if data.users.alice.blocked`:                                                   true,
		"default x := 0\n\nx := 1 if data.users.bob.blocked":                              true,
		"x := y\n\ny := count(data.users)":                                                true,
		"x := f(2)\n\nf(n) := n + count(data.users)":                                      true,
		`x := v if v := data.users with data.users as {"a": {}}`:                          true,
		"x := v if v := y with input.token as {\"tenant\": 1}\n\ny := input.token.tenant": false,
		`x := data.users[input.token.tenant]`:                                             false,
		`x := input.request.method`:                                                       false,
		`x := input`:                                                                      false,
		`x := time.now_ns()`:                                                              false,
		`x := rand.intn("a", 5)`:                                                          false,
		"x := f(2)\n\nf(n) := n + time.now_ns()":                                          false,
		`x contains u if some u, _ in data.users`:                                         false,
		`x[u] := 1 if some u, _ in data.users`:                                            false,
	} {
		p := dataPolicy(t, "default decision := false\n\ndecision if x == input.context.a\n\n"+rule+"\n")
		kept := p.entries[decisionPath].data
		if got := kept != nil && hasRule(kept.refs, "authz/x"); got != want {
			t.Errorf("%s: kept is %v, want %v", rule, got, want)
		}
	}
}

// dataPolicy is a policy beside data about users.
func dataPolicy(t *testing.T, rules string) *Policy {
	t.Helper()
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": "package authz\n\n" + rules,
		"policies/data.json":  `{"users": {"alice": {"blocked": true}, "bob": {"blocked": false}}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestValuesOfDataAreThoseOfEachRequest has rules that replace, by "with", what kept values were made of.
func TestValuesOfDataAreThoseOfEachRequest(t *testing.T) {
	p := dataPolicy(t, `
default decision := {"allow": false}

decision := {"allow": true, "context": {"blocked": blocked, "none": none, "other": other, "named": named}} if {
	not input.token.subject.id in blocked
}

decision := {"allow": false, "context": {"blocked": blocked}} if input.token.subject.id in blocked

blocked := {u | some u, v in data.users; v.blocked}

default none := "none"

none := data.users.dave

other := v if v := blocked with data.users as {input.token.subject.id: {"blocked": true}}

named := blocked == other
`)
	if e := p.entries[decisionPath]; e.data == nil || !hasRule(e.data.refs, "authz/blocked") ||
		!hasRule(e.data.refs, "authz/none") || hasRule(e.data.refs, "authz/other") {
		t.Fatalf("%+v is kept, want blocked and none", e.data)
	}
	for range 3 {
		for _, subject := range []string{"alice", "bob", "carol"} {
			sameAsPlain(t, p, requestOf(subject, "GET", "orders"))
		}
	}
	for i, v := range *p.entries[decisionPath].data.known.Load() {
		if v == nil || v.value == nil {
			t.Errorf("%v is not known after three rounds", p.entries[decisionPath].data.refs[i])
		}
	}
}

// TestALargeValueOfDataIsNotKept, and neither are more values than each request should list.
func TestALargeValueOfDataIsNotKept(t *testing.T) {
	text := strings.Repeat("a", maxKeptOfData/4)
	p := policy(t, patient, fmt.Sprintf(`
default decision := false

decision if large != input.context.v

large := [text, text, text, text]

text := %q
`, text))
	d := requestOf("u", "GET")
	d.Context = []byte(`{"v":1}`)
	for range 2 {
		sameAsPlain(t, p, d)
	}
	of := p.entries[decisionPath].data
	if known := *of.known.Load(); len(of.refs) != 1 || known[0] != tooLarge {
		t.Errorf("%v is kept", of.refs)
	}
	for n, want := range map[int]bool{maxKeptRefs: true, maxKeptRefs + 1: false} {
		rules := "default decision := false\n"
		for i := range n {
			rules += fmt.Sprintf("\ndecision if x%d == input.context.v\n\nx%d := %d\n", i, i, i)
		}
		if got := policy(t, patient, rules).entries[decisionPath].data != nil; got != want {
			t.Errorf("%d rules: kept is %t, want %t", n, got, want)
		}
	}
}

// TestAResultThatIsKeptIsMadeOnce: a rule whose value is kept, and is the answer, is one verdict for all requests.
// What is no verdict is an error each time.
func TestAResultThatIsKeptIsMadeOnce(t *testing.T) {
	p := policy(t, patient, `
decision := grant if input.request.method == "GET"
else := refusal if input.request.method == "POST"
else := {"allow": false, "context": {"of": input.token.subject.id}}

grant := {"allow": true, "upstream_headers": {input.token.subject.id: "set"}}

refusal := {"allow": false, "status": 404}
`)
	found := map[*made]string{}
	for _, subject := range []string{"x-alice", "x-bob", "no name of a header"} {
		d := requestOf(subject, "GET")
		for range 3 {
			for _, method := range []string{"GET", "POST", "PUT"} {
				d.Request.Method = method
				sameAsPlain(t, p, d)
				q := Question{Entrypoint: decisionPath, Document: d, Time: start, Seed: "s"}
				r, err := p.evalAnew(t.Context(), p.entries[decisionPath], q, nil)
				if err != nil {
					t.Fatal(err)
				}
				if r.made == nil {
					continue
				}
				answer := answerText(r, nil)
				if other := found[r.made]; other != "" && other != answer {
					t.Errorf("%s is %s of another", answer, other)
				}
				found[r.made] = answer
			}
		}
	}
	if len(found) != 3 { // of two tokens that are granted, and of data
		t.Errorf("%d results are kept: %v", len(found), found)
	}
}
