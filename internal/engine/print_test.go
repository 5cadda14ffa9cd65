package engine

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const printing = `default decision := false

decision if {
	print("method", input.request.method, "of", input.token.subject.username)
	input.request.method == "POST"
	print("never")
}
`

func TestPrintWritesItsPlaceAndValuesWithTheDecision(t *testing.T) {
	var said []string
	cfg := patient
	cfg.Print = func(id string, p Print) { said = append(said, fmt.Sprintf("%s %s:%d %s", id, p.File, p.Row, p.Text)) }
	p := policy(t, cfg, strings.Replace(printing, `"POST"`, `"GET"`, 1))
	q := question("")
	answered(t, p, q)
	want := []string{q.Seed + " policies/authz.rego:6 method GET of <undefined>",
		q.Seed + " policies/authz.rego:8 never"}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("printed %q, want %q", said, want)
	}
}

func TestExplainCollectsWhatPrintWrites(t *testing.T) {
	cfg := patient
	cfg.Print = func(string, Print) {}
	_, e := explained(t, policy(t, cfg, printing), question(""))
	want := []Print{{File: "policies/authz.rego", Row: 6, Text: "method GET of <undefined>"}}
	if !reflect.DeepEqual(e.Prints, want) || e.PrintsErased != 0 {
		t.Errorf("printed %+v, %d erased; want %+v", e.Prints, e.PrintsErased, want)
	}
}

func TestPoliciesAreCompiledWithoutPrintWhereNothingReadsIt(t *testing.T) {
	p := policy(t, patient, printing+`
names := [n | some n in ["a"]; print(n)]
`)
	for _, m := range p.entries[decisionPath].compiler.Modules {
		if text := m.String(); strings.Contains(text, "print") {
			t.Errorf("the compiled module still prints:\n%s", text)
		}
	}
	if _, e := explained(t, p, question("")); e.PrintsErased != 3 || e.Prints != nil {
		t.Errorf("%d calls erased, printed %v", e.PrintsErased, e.Prints)
	}
}

func TestABodyOfNothingButPrintHolds(t *testing.T) {
	p := policy(t, patient, `decision if print("here")`+"\n")
	if a := answered(t, p, question("")); !a.Verdict.Allow {
		t.Error("denied")
	}
}

func TestPrintHasTheSameProblemsWhetherItPrintsOrNot(t *testing.T) {
	for _, cfg := range []Config{patient, {Deadline: patient.Deadline, Print: func(string, Print) {}}} {
		refusedWith(t, cfg, map[string]string{"policies/authz.rego": `package authz

decision if print(input.token.scpoes)
`}, "policies/authz.rego:3:19: rego_type_error: undefined ref: input.token.scpoes")
		refusedWith(t, cfg, map[string]string{"policies/authz.rego": `package authz

decision if print(data.nosuch.thing)
`}, "data.nosuch.thing")
	}
}

func TestWhatPrintWritesIsBounded(t *testing.T) {
	n, longest := 0, 0
	cfg := patient
	cfg.Print = func(_ string, p Print) { n++; longest = max(longest, len(p.Text)) }
	answered(t, policy(t, cfg, `decision if {
	every i in numbers.range(1, 500) { print(i, concat("", ["xxxx" | some _ in numbers.range(1, 3000)])) }
} else := false
`), question(""))
	if n != maxPrints || longest > maxPrintBytes+4 {
		t.Errorf("%d texts, the longest of %d bytes", n, longest)
	}
}
