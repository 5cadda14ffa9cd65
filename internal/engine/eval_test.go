package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

func TestEvalAllowsAndDenies(t *testing.T) {
	p := policy(t, patient, `default decision := false

decision if {
	"orders:read" in input.token.scopes
	"https://api.example" in input.token.audiences
	input.token.tenant == input.context.tenant
}
`)
	for context, want := range map[string]bool{`{"tenant":"acme"}`: true, `{"tenant":"other"}`: false, `{}`: false} {
		if a := answered(t, p, question(context)); a.Verdict.Allow != want || resultJSON(t, a) != fmt.Sprint(want) {
			t.Errorf("%s: allow %t, result %s", context, a.Verdict.Allow, resultJSON(t, a))
		}
	}
}

func TestEvalReadsData(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": "package authz\n\ndecision := {\"allow\": true, \"context\": {\"scope\": " +
			"data.routes[input.request.path]}} if input.request.path != \"/\"\n\nelse := false\n",
		"policies/routes/data.json": `{"/orders/42": 1.50}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := answered(t, p, question("")); string(a.Verdict.Context) != `{"scope":1.50}` {
		t.Errorf("context %s", a.Verdict.Context)
	}
}

func TestSizeOfDataCostsNothingPerEvaluation(t *testing.T) {
	allocations := func(routes int) float64 {
		data := map[string]any{}
		for i := range routes {
			data[fmt.Sprintf("/route/%d", i)] = map[string]any{"scope": "a", "list": []int{1, 2, 3}}
		}
		data["/orders/42"] = map[string]any{"scope": "orders:read"}
		raw, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		p, err := compiled(t, patient, map[string]string{
			"policies/authz.rego": "package authz\n\ndefault decision := false\n\ndecision if " +
				"data.routes[input.request.path].scope in input.token.scopes\n",
			"policies/routes/data.json": string(raw),
		})
		if err != nil {
			t.Fatal(err)
		}
		q := question("")
		return testing.AllocsPerRun(50, func() { _ = answered(t, p, q) })
	}
	if few, many := allocations(1), allocations(5000); many > few*1.2+5 {
		t.Errorf("%.0f allocations with one route, %.0f with 5000", few, many)
	}
}

func TestResultIsWhatThePolicyAnswered(t *testing.T) {
	p := policy(t, patient,
		`decision := {"allow": false, "reasons": {"b", "a"}, "context": {"n": 1.0, "s": "<é>", "null": null}}`)
	want := `{"allow":false,"context":{"n":1.0,"null":null,"s":"<é>"},"reasons":["a","b"]}`
	if got := resultJSON(t, answered(t, p, question(""))); got != want {
		t.Errorf("result %s, want %s", got, want)
	}
}

func TestResultOfNothingIsEmpty(t *testing.T) {
	b, err := Result{}.AppendJSON([]byte("x"))
	if err != nil || string(b) != "xnull" || !(Result{}).Empty() {
		t.Errorf("%s, %v", b, err)
	}
}

func TestUndefinedIsMisconfigured(t *testing.T) {
	p := policy(t, patient, "decision if not input.context.gone\n")
	fails(t, p, question(`{"gone": true}`), "evaluate data.authz.decision: undefined; give the rule a default")
}

func TestIllShapedResultIsMisconfiguredAndNamesRuleAndMember(t *testing.T) {
	p := policy(t, patient, "default decision := false\n\ndecision := {\"allow\": input.context.allow}\n")
	a, err := evaluated(t.Context(), p, question(`{"allow": "yes"}`))
	if err == nil || err.Error() != "read the result of data.authz.decision: allow: is a string, want a boolean" ||
		authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("error %v", err)
	}
	if a.Verdict != nil || resultJSON(t, a) != `{"allow":"yes"}` {
		t.Errorf("verdict %+v, result %s", a.Verdict, resultJSON(t, a))
	}
}

// TestDenyRuleDoesNotFailOpenOnABuiltinError: to OPA the deny below is undefined, and the decision true.
func TestDenyRuleDoesNotFailOpenOnABuiltinError(t *testing.T) {
	p := policy(t, patient, `default decision := true

decision := false if deny

deny if time.parse_rfc3339_ns(input.context.until) < 5
`)
	if a := answered(t, p, question(`{"until":"2030-01-01T00:00:00Z"}`)); !a.Verdict.Allow {
		t.Error("denied although nothing denies")
	}
	err := fails(t, p, question(`{"until":"hunter2"}`),
		"evaluate data.authz.decision: policies/authz.rego:7:9: eval_builtin_error: time.parse_rfc3339_ns cannot "+
			"work with what it was given")
	silent(t, err, "hunter2")
}

func TestTypeErrorOfABuiltinNamesTheTypes(t *testing.T) {
	p := policy(t, patient, "default decision := true\n\ndecision := false if contains(input.context.name, \"x\")\n")
	fails(t, p, question(`{"name":1}`), "policies/authz.rego:5:22: eval_type_error: contains: operand 1 must be "+
		"string but got number")
}

func TestConflictingRulesAreNamedWithoutTheirValues(t *testing.T) {
	p := policy(t, patient, "default decision := false\n\ndecision := true if x\n\nx := input.context.a\n\nx := "+
		"input.context.b\n")
	err := fails(t, p, question(`{"a":"hunter2","b":"hunter3"}`),
		"eval_conflict_error: rule data.authz.x produced conflicting values, at policies/authz.rego:7 and "+
			"policies/authz.rego:9")
	silent(t, err, "hunter")
}

func TestConflictingFunctionIsNamed(t *testing.T) {
	p := policy(t, patient, "default decision := false\n\ndecision := true if f(1)\n\nf(_) := "+
		"input.context.a\n\nf(_) := input.context.b\n")
	silent(t, fails(t, p, question(`{"a":"hunter2","b":"hunter3"}`), "eval_conflict_error", "data.authz.f",
		"policies/authz.rego:"), "hunter")
}

func TestEvaluationStopsAtItsDeadline(t *testing.T) {
	for name, rego := range map[string]string{
		"a join": "default decision := false\n\nr := numbers.range(1, 300)\n\ndecision if " +
			"{\n\tinput.context.slow\n\tsome i in r\n\tsome j in r\n\tsome k in r\n\tsome l in r\n\ti + j + k + l < " +
			"0\n}\n",
		"a builtin": "default decision := false\n\ndecision if {\n\tinput.context.slow\n\tcount(numbers.range(1, " +
			"1000000000)) < 0\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := policy(t, Config{Deadline: 20 * time.Millisecond}, rego)
			begun := time.Now()
			fails(t, p, question(`{"slow": true}`),
				"evaluate data.authz.decision: not done after 20ms, the deadline of one evaluation")
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestNetworkBuiltinStopsAtTheDeadline(t *testing.T) {
	over := make(chan struct{})
	silentServer := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer silentServer.Close()
	defer close(over)
	p := policy(t, Config{Deadline: 50 * time.Millisecond, AllowBuiltins: []string{"http.send"}},
		fmt.Sprintf("default decision := true\n\ndecision := false if http.send({\"method\": \"get\", \"url\": %q, "+
			"\"timeout\": \"30s\"}).status_code == 403\n", silentServer.URL))
	begun := time.Now()
	fails(t, p, question(""), "not done after 50ms")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestSameQuestionHasTheSameAnswer(t *testing.T) {
	p := policy(t, patient,
		`decision := {"allow": true, "context": {"rand": rand.intn("x", 1000000000), "uuid": uuid.rfc4122("k"), "time": time.now_ns()}}`)
	q := question("")
	first := answered(t, p, q)
	if second := answered(t, p, q); resultJSON(t, first) != resultJSON(t, second) {
		t.Errorf("%s, then %s", resultJSON(t, first), resultJSON(t, second))
	}
	if !strings.Contains(resultJSON(t, first), fmt.Sprint(start.UnixNano())) {
		t.Errorf("time.now_ns is not the time of the question: %s", resultJSON(t, first))
	}
	type drawn struct {
		Context struct {
			Rand int
			UUID string
		}
	}
	var one, other drawn
	q.Seed = "01ARZ3NDEKTSV4RRFFQ69G5FAW"
	if err := json.Unmarshal([]byte(resultJSON(t, first)), &one); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(resultJSON(t, answered(t, p, q))), &other); err != nil {
		t.Fatal(err)
	}
	if one.Context.Rand == other.Context.Rand || one.Context.UUID == other.Context.UUID {
		t.Errorf("two seeds gave %+v and %+v", one, other)
	}
}

func TestPrintStatementsChangeNothing(t *testing.T) {
	p := policy(t, patient, "decision if {\n\tprint(\"token\", input.token, input.context.never)\n\ttrue\n}\n")
	if !answered(t, p, question("")).Verdict.Allow {
		t.Error("denied")
	}
}

func TestContextThatCannotBeReadIsNeverDecided(t *testing.T) {
	a, err := evaluated(t.Context(), policy(t, patient, "decision if not input.context.denied\n"),
		question(`{"a":1,"a":2}`))
	if authz.KindOf(err) != authz.Malformed || a.Verdict != nil {
		t.Errorf("verdict %+v, error %v", a.Verdict, err)
	}
}

func TestACanceledCallDoesNotMisconfigureThePolicy(t *testing.T) {
	p := policy(t, patient, "decision := true\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := evaluated(ctx, p, question("")); err != nil || !a.Verdict.Allow {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestOnePolicyServesConcurrentRequests(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": `package authz

default decision := {"allow": false}

decision := {"allow": true, "context": {"seen": seen, "route": route}} if {
	regex.match(input.context.pattern, input.request.path)
	glob.match("/orders/*", ["/"], input.request.path)
	"orders:read" in input.token.scopes
}

seen contains k if some k, _ in input.token.claims

route[k] := v if some k, v in data.routes
`,
		"policies/routes/data.json": `{"c": {"x": 1}, "a": [1, 2], "b": null}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	claims := question("").Document.Claims
	req := input.Request{Method: "GET", Path: "/orders/42"}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 60 {
				pattern := fmt.Sprintf(`{"pattern":"^/orders/[0-%d]+$"}`, 4+(g+i)%5)
				doc := input.Build(input.Query{Request: req, Context: []byte(pattern)}, claims,
					input.Presented{Scheme: "bearer"}, start.Add(time.Duration(i/20)*time.Second))
				a, err := evaluated(context.Background(), p,
					Question{Entrypoint: decisionPath, Document: doc, Time: start, Seed: "s"})
				if err != nil || !a.Verdict.Allow ||
					!strings.Contains(string(a.Verdict.Context), `"route":{"a":[1,2],"b":null,"c":{"x":1}}`) {
					t.Errorf("%+v, %v", a.Verdict, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestWhatBuiltinsKeepBetweenRequestsIsBounded(t *testing.T) {
	kept := newValueCache(t.Context())
	for i := range 3 * valueCacheEntries {
		kept.Insert(ast.String(fmt.Sprint(i)), i)
	}
	left := 0
	for i := range 3 * valueCacheEntries {
		if _, ok := kept.Get(ast.String(fmt.Sprint(i))); ok {
			left++
		}
	}
	if left == 0 || left > valueCacheEntries {
		t.Errorf("%d values are kept, want at most %d", left, valueCacheEntries)
	}
}
