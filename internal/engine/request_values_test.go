package engine

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/policies"
)

// plain is e with no values kept from one evaluation to another.
func (e *preparedRule) plain() *preparedRule {
	p := *e
	p.data, p.token, p.request = nil, nil, nil
	return &p
}

// Each rule x is used by a decision. It is kept where the method and the path decide it, and segments that occur
// nowhere else are alike to it.
func TestRulesThatFollowFromTheRequestAreKept(t *testing.T) {
	const route = `x := {"GET": 1}[input.request.method] if input.request.segments = ["orders", _]`
	for rule, want := range map[string]bool{
		route: true,
		"x := y\n\ny := 1 if not \"admin\" in input.request.segments":                            true,
		"x := f(input.request.segments)\n\nf(s) := count(s)":                                     true,
		"default x := 0\n\nx := 1 if input.request.segments = [_]":                               true,
		`x := input.request.segments`:                                                            false,
		`x := input.request.method`:                                                              false,
		`x := 1 if { some s in input.request.segments; count(s) > 5 }`:                           false,
		`x := 1 if { some s in input.request.segments; s == input.token.tenant }`:                false,
		`x := 1 if { input.request.segments = [_]; input.request.path == "/a" }`:                 false,
		`x := time.now_ns() if input.request.segments = [_]`:                                     false,
		`x contains 1 if input.request.segments = [_]`:                                           false,
		"x := v if v := y with input.request.segments as [\"a\"]\n\ny := input.request.segments": false,
	} {
		p := policy(t, patient, "default decision := false\n\ndecision if x == input.context.a\n\n"+rule+"\n")
		kept := p.entries[decisionPath].request
		if got := kept != nil && hasRule(kept.refs, "authz/x"); got != want {
			t.Errorf("%s: kept is %v, want %v", rule, got, want)
		}
	}
}

// routed answers with the route of the library, and with what it is where the rules are replaced.
const routed = `package authz

import data.sidecar.routes

# METADATA
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true, "context": {"route": routes.route, "who": input.token.tenant, "elsewhere": elsewhere}}

default elsewhere := "none"

elsewhere := [found | found := routes.route with input.request.segments as ["orders"]]
`

var drawnKeys = strings.Split("/orders /orders /* /* /** / /a /b/c /0 /1 GET GET POST HEAD orders a ** 0", " ")

// drawnTree is a table of routes, or something that is none.
func drawnTree(r *rand.Rand, depth int) any {
	switch n := r.IntN(12); {
	case n == 0:
		return draw(r, []any{"text", 1, nil, true, []any{"a", "orders"}, []any{map[string]any{"GET": "in a list"}}})
	case n < 2 || depth == 0:
		return map[string]any{"id": fmt.Sprint("r", r.IntN(1000))}
	}
	node := map[string]any{}
	for range 1 + r.IntN(5) {
		node[draw(r, drawnKeys)] = drawnTree(r, depth-1)
	}
	if r.IntN(2) == 0 { // several methods at one place
		for _, method := range []string{"GET", "HEAD", "POST", "PATCH"}[r.IntN(3):] {
			node[method] = drawnTree(r, 0)
		}
	}
	return node
}

// drawnPath is a request of a path of few words, and of some that no table has.
func drawnPath(r *rand.Rand) input.Request {
	q := input.Request{Method: draw(r, []string{"GET", "GET", "HEAD", "POST", "PATCH"}), Segments: []string{}}
	for range r.IntN(11) {
		q.Segments = append(q.Segments, draw(r, []string{"orders", "orders", "a", "b/c", "*", "**", "", "0", "1", "01",
			"GET", "id", "text", fmt.Sprint("id-", r.IntN(1e6)), "/orders", "r1", "é", "%2F"}))
	}
	q.Path = "/" + strings.Join(q.Segments, "/")
	return q
}

// TestKeptRoutesAreThoseOfAnEvaluation compares the route that is kept with an evaluation of the library, over drawn
// tables and paths.
func TestKeptRoutesAreThoseOfAnEvaluation(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2))
	rules, err := fs.ReadFile(policies.EmbeddedLibrary(), "routes/routes.rego") // without those that refuse faults
	if err != nil {
		t.Fatal(err)
	}
	left, kept := pairs(t), 0
	for left > 0 {
		data, err := json.Marshal(map[string]any{"orders": drawnTree(r, 0), "routes": drawnTree(r, 1+r.IntN(9))})
		if err != nil {
			t.Fatal(err)
		}
		p, err := compiled(t, patient, map[string]string{"policies/authz.rego": routed,
			"policies/data.json": string(data), "policies/routes.rego": string(rules)})
		if err != nil {
			left--
			continue // the table is not one that a policy can be served with
		}
		e := p.entries[decisionPath]
		if e.request == nil {
			t.Fatal("no route is kept")
		}
		for range min(left, 300) {
			left--
			claims := &authz.Claims{Active: true, Kind: authz.AccessToken, Tenant: fmt.Sprint("t", r.IntN(3)),
				Slot: new(authz.Slot)}
			req := drawnPath(r)
			q := Question{Entrypoint: decisionPath, Time: start, Seed: "s",
				Document: input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, start)}
			if known := e.request.slot(e.request.key.Append(nil, q.Document)).Load(); known != nil {
				kept++
			}
			got := answerText(p.evalAnew(t.Context(), e, q, nil))
			if want := answerText(p.evalAnew(t.Context(), e.plain(), q, nil)); got != want {
				t.Fatalf("%s\n%s %q: %s, want %s", data, req.Method, req.Segments, got, want)
			}
		}
	}
	if t.Logf("%d were kept", kept); kept < pairs(t)/10 {
		t.Error("the test says little")
	}
}

func TestWhatIsFollowedOrPrintedIsEvaluated(t *testing.T) {
	p := policy(t, patient,
		"default decision := false\n\ndecision if x == 1\n\nx := 1 if input.request.segments = [_]\n")
	e := p.entries[decisionPath]
	q := question("")
	q.Document.Request.Segments = []string{"a"}
	for range 2 {
		answered(t, p, q)
	}
	in, err := p.view.Value(q.Document)
	if err != nil {
		t.Fatal(err)
	}
	how := evalOptions{time: start, document: q.Document}
	v := e.evaluation(in, how)
	if run := e.fill(v, in, how); run.request.known == nil || run.request.known[0] == nil {
		t.Error("nothing is kept of a request")
	}
	printing, traced := how, how
	printing.print, traced.tracer = &printer{}, noTracer{}
	if e.fill(v, in, printing).request.of != nil || e.fill(v, in, traced).request.of != nil {
		t.Error("an evaluation that prints, or is followed, takes values that are kept")
	}
	how.document = nil
	if run := e.fill(v, in, how); run.request.of != nil {
		t.Error("an input that is no document takes values that are kept")
	}
}
