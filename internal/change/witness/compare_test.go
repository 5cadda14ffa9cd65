package witness_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit/mutants"
)

// policy is a policy of one rule.
func policy(body string) map[string]string {
	return map[string]string{"p.rego": "package authz\n\ndefault decision := false\n\n" + body + "\n"}
}

func TestTheSameComparisonGivesTheSameFindings(t *testing.T) {
	old := written(t, policy(`decision if "a" in input.token.scopes`))
	new := written(t, policy("decision if \"a\" in input.token.scopes\n\ndecision if input.token.tenant == \"acme\""))
	texts := map[string]bool{}
	for range 3 {
		f := compared(t, old, new)
		f.Took = 0
		raw, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[string(raw)] = true
	}
	if len(texts) != 1 {
		t.Errorf("%d different findings", len(texts))
	}
}

func TestAWitnessHasNoMemberThatCouldBeLeftOut(t *testing.T) {
	old := written(t, policy(`decision if "a" in input.token.scopes`))
	new := written(t, policy(`decision if input.token.tenant == "acme"`))
	f := compared(t, old, new)
	if len(f.Findings) == 0 || f.Findings[0].Class != witness.Wider {
		t.Fatalf("%+v", f)
	}
	x := f.Findings[0]
	want :=
		`{"active":true,"age":0,"groups":[],"permissions":[],"present":true,"roles":[],"scopes":[],"stale":false,` +
			`"tenant":"acme"}`
	if !strings.Contains(string(x.Witness.Document), `"token":`+want) {
		t.Errorf("%s", x.Witness.Document)
	}
	if !x.Everywhere || x.Grave != "" || fmt.Sprint(x.OnlyOld, x.OnlyNew) != "[scopes contains a] [tenant is acme]" {
		t.Errorf("%+v", x)
	}
}

func TestWhatNoTokenIsNeededForStandsAboveAll(t *testing.T) {
	optional := func(cfg *config.Config) { cfg.Decision.Token = "optional" }
	old := written(t, policy(`decision if "a" in input.token.scopes`), optional)
	new := written(t, policy("decision if \"a\" in input.token.scopes\n\ndecision if input.request.method == "+
		"\"GET\"\n\n"+
		"decision if \"b\" in input.token.scopes"), optional)
	f := compared(t, old, new)
	if len(f.Findings) < 2 || f.Findings[0].Grave != "anonymous" || f.Findings[1].Grave != "" {
		t.Errorf("%+v", f.Findings)
	}
}

func TestAWitnessThatTheSidecarRefusesItselfSaysSo(t *testing.T) {
	old := written(t, policy("decision if {\n\tinput.token.active\n\t\"a\" in input.token.scopes\n}"))
	f := compared(t, old, written(t, policy(`decision if "a" in input.token.scopes`)))
	if len(f.Findings) != 1 || f.Findings[0].Unreachable != "the sidecar refuses a token that is not active" {
		t.Errorf("%+v", f.Findings)
	}
}

func TestACallThatFailsIsADenialAndNoProofLeavesItOut(t *testing.T) {
	old := written(t, policy(`decision if input.token.active`))
	fails := written(t, policy("decision if input.token.active\n\ndecision if {\n\tinput.token.active\n\t"+
		"to_number(input.token.claims.level) > 3\n}"))
	f := compared(t, old, fails)
	e := f.Entrypoints[0]
	if e.Proved > 0 {
		t.Errorf("%+v", e)
	}
	if found := classes(f); found[witness.Wider] || f.Result == witness.Same {
		t.Errorf("%v %v", found, f.Result)
	}
}

func TestARuleWithTwoValuesIsNoProof(t *testing.T) {
	old := written(t, policy("decision if limit > 1\n\nlimit := 2 if \"a\" in input.token.scopes"))
	two := written(t, policy("decision if limit > 1\n\nlimit := 2 if \"a\" in input.token.scopes\n\n"+
		"limit := 0 if \"b\" in input.token.scopes"))
	if f := compared(t, old, two); f.Result != witness.Narrower {
		t.Errorf("%v: %+v", f.Result, f.Entrypoints)
	}
}

func TestTwoRulesOfTheEntrypointThatMayConflictAreNoProof(t *testing.T) {
	const first = "package authz\n\ndefault decision := {\"allow\": false}\n\n" +
		"decision := {\"allow\": ok} if \"a\" in input.token.scopes\n\n" +
		"default ok := false\n\nok if input.token.active\n"
	both := written(t, map[string]string{"p.rego": first +
		"\ndecision := {\"allow\": false} if \"b\" in input.token.scopes\n"})
	f := compared(t, both, written(t, map[string]string{"p.rego": first}))
	if f.Result != witness.Wider || f.Entrypoints[0].Proved > 0 {
		t.Errorf("%v %+v", f.Result, f.Entrypoints)
	}
}

func TestOtherEntrypointsAreComparedToo(t *testing.T) {
	more := "\n# METADATA\n# entrypoint: true\nother := input.token.tenant == "
	old := written(t, policy("decision if input.token.active\n"+more+`"a"`+"\n\ndefault other := false"))
	new := written(t, policy("decision if input.token.active\n"+more+`"b"`+"\n\ndefault other := false"))
	f := compared(t, old, new)
	if len(f.Entrypoints) != 2 || f.Entrypoints[0].Result != witness.Same || f.Entrypoints[1].Result != witness.Wider {
		t.Errorf("%+v", f.Entrypoints)
	}
}

func TestRequestsAndDocumentsThatAreHandedOverAreLookedAt(t *testing.T) {
	old := written(t, policy(`decision if false`))
	new := written(t, policy("decision if {\n\tcrypto.sha256(input.request.segments[3]) == "+
		`"18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4"`+
		"\n\tinput.token.id == \"t-1\"\n}"))
	with := func(opts witness.Options) witness.Findings {
		opts.Now = now
		f, err := witness.Compare(t.Context(), old, new, opts)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := with(witness.Options{}); f.Result != witness.Undecided {
		t.Fatalf("decided without help: %s %+v", f.Result, f.Findings)
	}
	f := with(witness.Options{Requests: []authz.Request{{Method: "GET", URL: "/a/b/c/d"}}})
	if f.Result != witness.Wider || f.Findings[0].Places[0].Path != "/a/b/c/d" {
		t.Errorf("%+v", f.Findings)
	}
	document := `{"version":1,"request":{"method":"PUT","path":"/a/b/c/d","raw_path":"/a/b/c/d",` +
		`"segments":["a","b","c","d"],"query":{},"headers":{}},"token":{"present":true,"active":true,"scopes":[],` +
		`"roles":[],"groups":[],"permissions":[],"age":0,"stale":false,"id":"t-1"}}`
	f = with(witness.Options{Documents: []jsontext.Value{jsontext.Value(document)}})
	if f.Result != witness.Wider || f.Findings[0].Places[0].Method != "PUT" {
		t.Errorf("%+v", f.Findings)
	}
}

func TestARuleOfThePathAloneKeepsItsSet(t *testing.T) {
	const rule = "\n\nwanted := {s | some s in input.request.segments}"
	old := written(t, policy("decision if {\n\twanted == {\"a\"}\n\tinput.token.active\n}"+rule))
	new := written(t, policy("decision if {\n\twanted == {\"b\"}\n\tinput.token.active\n}"+rule))
	f, err := witness.Compare(t.Context(), old, new, witness.Options{Now: now,
		Requests: []authz.Request{{Method: "GET", URL: "/a"}, {Method: "GET", URL: "/b"}}})
	if err != nil {
		t.Fatal(err)
	}
	places := map[witness.Class]string{}
	for _, x := range f.Findings {
		places[x.Class] += x.Places[0].Path
	}
	if places[witness.Wider] != "/b" || places[witness.Narrower] != "/a" {
		t.Errorf("%v", places)
	}
}

func TestWhatIsNotLookedAtInTimeIsCounted(t *testing.T) {
	shipped := mutants.Shipped(t)
	f, err := witness.Compare(t.Context(), shipped, mutants.Usual()[0].Side(t), witness.Options{Now: now,
		Budget: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	e := f.Entrypoints[0]
	if e.Left == 0 || e.Proved+e.Differing+e.Open+e.Left != e.Shapes || f.Result != witness.Undecided {
		t.Errorf("%v %+v", f.Result, e)
	}
}

func TestHundredsOfRoutesAreLookedAtWithinTheBudget(t *testing.T) {
	routes := func(scope string) map[string]string {
		var b strings.Builder
		for i := range 200 {
			fmt.Fprintf(&b, "/r%d:\n  GET: {id: r%d, scopes: [%s], audience: [api], tenant: none}\n", i, i,
				map[bool]string{true: scope, false: "read"}[i == 100])
		}
		return map[string]string{"routes/data.yaml": b.String(), "p.rego": `package authz

import data.sidecar.routes
import data.sidecar.scopes

default decision := false

decision if {
	input.token.active
	scopes.granted(routes.route.scopes)
}
`}
	}
	slow := func(cfg *config.Config) { cfg.Engine.Deadline = 30 * time.Second }
	f := compared(t, written(t, routes("read"), slow), written(t, routes("write"), slow))
	e := f.Entrypoints[0]
	if f.Result != witness.Wider || e.Left > 0 || e.Shapes < 2000 || e.Differing != 2 {
		t.Errorf("%v %+v, %d findings", f.Result, e, len(f.Findings))
	}
}
