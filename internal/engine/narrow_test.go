package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
)

const narrowData = `{"orders": {"owner": "acme", "id": "42", "list": ["orders", "42"]}, "/orders": {"/x": {"/*": 1}},
	"names": ["x-tenant", "x-own"], "words": ["admin", "zeta"], "by": {"a": {"x": 1}, "orders": ["x", "y"]},
	"mixed": {"a": {"b": 1}, "long": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "x"]}, "rule": {"header": "x-tenant", "segment": 1}}`

// narrowShapes are policies that use the segments of a path, or members of maps by name.
var narrowShapes = map[string]struct {
	rego              string
	segments, headers bool
}{
	"a look-up":            {`decision if data.t[input.request.segments[_]].owner == "acme"`, true, true},
	"the tenant":           {`decision if { some s in input.request.segments; s == input.token.tenant }`, true, true},
	"a computed tenant":    {`decision if { some s in input.request.segments; s == lower(input.token.tenant) }`, false, true},
	"equal segments":       {`decision if { some i, s in input.request.segments; s == input.request.segments[i+1] }`, true, true},
	"a pattern":            {`decision if ["orders", id] = input.request.segments`, true, true},
	"a pattern by context": {`decision if { ["orders", id] = input.request.segments; id == input.context.id }`, true, true},
	"a prefix":             {`decision if { some s in input.request.segments; data.t[concat("", ["/", s])] }`, true, true},
	"two prefixes": {`decision if { some s in input.request.segments; data.t[concat("", ["/", s])]; concat("", ["x", s]) != "xa" }`,
		false, true},
	"a joined path":        {`decision if concat("/", input.request.segments) == "orders/42"`, false, true},
	"a length":             {`decision if { some s in input.request.segments; count(s) > 2 }`, false, true},
	"a number of segments": {`decision if count(input.request.segments) > 2`, true, true},
	"an order":             {`decision if { some s in input.request.segments; s > "m" }`, false, true},
	"a beginning":          {`decision if startswith(input.request.segments[_], "a")`, false, true},
	"an answer":            {`decision := {"allow": true, "context": {"s": input.request.segments}}`, false, true},
	"an answer by rules": {`decision := {"allow": true, "context": {"s": [first]}}
first := f(input.request.segments)
f(list) := list[0]`, false, true},
	"a set":          {`decision if count({s | some s in input.request.segments}) == 2`, false, true},
	"an ordered set": {`decision if { l := [s | some s in {"m", input.request.segments[0]}]; l[0] == "m" }`, false, true},
	"an order of a variable": {`decision if { names := {"m", input.request.segments[data.t.rule.segment]}
l := [s | some s in names]; l[0] == "m" }`, false, true},
	"a partial set":        {"decision if \"orders\" in names\nnames contains s if some s in input.request.segments", false, true},
	"a partial object":     {"decision if names.orders == 1\nnames[s] := i if some i, s in input.request.segments", false, true},
	"a key":                {`decision if {input.request.segments[0]: 1}[input.token.tenant] == 1`, false, true},
	"a default":            {`decision if object.get(data.t, input.request.segments[0], {"owner": "acme"}).owner == "acme"`, true, true},
	"a slice":              {`decision if array.slice(input.request.segments, 0, 1) == ["orders"]`, true, true},
	"every":                {`decision if every s in input.request.segments { s != "admin" }`, true, true},
	"not in data":          {`decision if not input.request.segments[0] in data.t.words`, true, true},
	"a list of data":       {`decision if input.request.segments == data.t[_].list`, true, true},
	"a scope":              {`decision if input.request.segments[1] in input.token.scopes`, true, true},
	"a conversion":         {`decision if to_number(input.request.segments[1]) > 42`, false, true},
	"a text":               {`decision if sprintf("%v", [input.request.segments]) == "[\"orders\", \"x\"]"`, false, true},
	"walk":                 {`decision if { walk(input.request.segments, [_, "orders"]) }`, false, true},
	"with":                 {"decision if r with data.t.owner as input.request.segments[0]\nr if data.t.owner == \"a\"", false, false},
	"a package":            {"decision if data.authz.parts[input.request.segments[0]]\nparts.orders := true\nparts.x if input.token.tenant == \"x\"", true, true},
	"an index out of data": {`decision if input.request.segments[data.t.rule.segment] == input.token.tenant`, true, true},
	"else": {"decision if f(input.request.segments[0], 1)\nf(s, n) if { n == 2; s == \"a\" } else if s == input.token.tenant",
		true, true},
	"the path too":               {`decision if { input.request.path != "/a"; some s in input.request.segments; s == input.context.id }`, true, true},
	"a whole request":            {`decision if { input.request.segments[_] == "a"; object.get(input.request, "method", "") == "GET" }`, false, false},
	"a header of data":           {`decision if { some n in data.t.names; input.request.headers[n] == [input.token.tenant] }`, true, true},
	"a header by argument":       {"decision if own(data.t.rule.header)\nown(n) if input.request.headers[n][_] == input.token.tenant", true, true},
	"a header of the caller":     {`decision if input.request.headers[input.context.id] == [input.token.tenant]`, true, false},
	"a computed header":          {`decision if input.request.headers[concat("", ["x-", "own"])] == [input.token.tenant]`, true, false},
	"any header":                 {`decision if { some n, v in input.request.headers; n != "x-tenant"; v == ["acme"] }`, true, false},
	"any header's value":         {`decision if input.request.headers[_] == ["acme"]`, true, false},
	"a header that is not there": {`decision if not input.request.headers[data.t.rule.header]`, true, true},
	"a name by negation":         {`decision if { input.request.headers[n]; not n == "x-own" }`, true, false},
	"a name in a comprehension":  {`decision if { input.request.headers[n]; count([z | z = n; z = "x-own"]) == 0 }`, true, false},
	"a header by segment":        {`decision if input.request.headers[input.request.segments[0]]`, true, false},
	"an element of a set of arrays": {"decision if { pairs[[n, 1]]; n == input.request.segments[0] }\n" +
		"pairs contains [lower(input.token.tenant), 1]", false, true},
	"a member of an object in an array": {"decision if { [{\"a\": n}] = rows; n == input.request.segments[0] }\n" +
		"rows := [{\"a\": lower(input.token.tenant)}]", false, true},
	"an every over what is computed": {`decision if { l := [lower(input.token.tenant)]; every n in l { n == input.request.segments[0] } }`, false, true},
	"a name that a builtin chose":    {`decision if { some n in json.unmarshal("[\"x-own\"]"); input.request.headers[n] == ["acme"] }`, true, false},
	"an argument of several calls": {"decision if own(input.token.tenant)\ndecision if own(lower(input.token.tenant))\n" +
		"own(n) if n == input.request.segments[0]", false, true},
	"a name by an object": {`decision if { m := {"h": input.context.id}; n := m.h; input.request.headers[n] == ["acme"] }`, true, false},
	"a name by a rule": {"decision if input.request.headers[name] == [\"acme\"]\nname := input.context.id if input.context.id\n" +
		"else := \"x-own\"", true, false},
	"a name by a rule of constants": {"decision if input.request.headers[name] == [\"acme\"]\n" +
		"name := \"x-own\" if input.token.tenant == \"acme\"\nelse := \"x-tenant\"", true, true},
	"a function of two results": {"decision if own(1)\nown(_) := input.request.segments[data.t.rule.segment]\n" +
		"own(_) := input.token.tenant", true, true},
	"a function of two computed results": {"decision if own(1)\nown(_) := input.request.segments[data.t.rule.segment]\n" +
		"own(_) := lower(input.token.tenant)", false, true},
	"equal arguments": {"decision if same(input.request.segments[data.t.rule.segment], input.token.tenant)\n" +
		"same(x, x) := true", true, true},
	"equal arguments that are computed": {"decision if same(input.request.segments[data.t.rule.segment], lower(input.token.tenant))\n" +
		"same(x, x) := true", false, true},
	"equal elements of an argument": {"decision if same([input.request.segments[data.t.rule.segment], input.token.tenant])\n" +
		"same([x, x]) := true", true, true},
	"a name that is chosen before it is compared": {`decision if { some n; input.request.headers[n]; to_number(n); n = data.t.names[_] }`,
		true, false},
	"a member of the token":         {`decision if input.token[input.request.segments[data.t.rule.segment]] == "acme"`, true, true},
	"a member of the token, or not": {`decision if object.get(input.token, input.request.segments[data.t.rule.segment], 1) == "acme"`, true, true},
	"a name of a member":            {`decision if { some k; input.token[k]; k == input.request.segments[data.t.rule.segment] }`, true, true},
	"names of members":              {`decision if input.request.segments[data.t.rule.segment] in object.keys(input.token)`, true, true},
	"a package of no rules":         {`decision if data.authz.parts[input.request.segments[data.t.rule.segment]]`, true, true},
	"a header by the name of a package": {"decision if { some k; data.authz.parts[k]; own(k) }\n" +
		"own(n) if input.request.headers[n]", true, true},
	"a query": {`decision if { some n in data.t.names; input.request.query[n] }`, true, true},
	"a position in data": {"decision if { input.request.segments = [_, _]\n" +
		"data.t.by[input.request.segments[0]][input.request.segments[1]] == \"x\" }", true, true},
	"a position in data, with a sign": {`decision if { input.request.segments = [_, _]
data.t.by[input.request.segments[0]][input.request.segments[1]] == "y" }`, true, true},
	"a prefix that is a digit": {`decision if data.t.mixed[_][concat("", ["1", input.request.segments[data.t.rule.segment]])] == "x"`, false, true},
	"a prefix with a sign":     {`decision if data.t.mixed[_][concat("", ["+", input.request.segments[data.t.rule.segment]])] == "x"`, false, true},
	"a prefix of two segments": {`decision if data.t[concat("", ["/", input.request.segments[_], input.request.segments[1]])]`,
		false, true},
	"a prefix and a delimiter": {`decision if data.t[concat("-", ["/", input.request.segments[_]])]`, false, true},
	"a prefix of a segment or the tenant": {`decision if { some s in [input.request.segments[data.t.rule.segment], input.token.tenant]
concat("", ["/", s]) == "/x" }`, false, true},
	"a prefix that a segment may have": {`decision if {
concat("", ["/", input.request.segments[data.t.rule.segment]]) == input.request.segments[_] }`, false, true},
	"a length with a prefix": {`decision if count(concat("", ["/", input.request.segments[data.t.rule.segment]])) > 3`,
		false, true},
	"a length in every":      {`decision if every s in input.request.segments { count(s) > 2 }`, false, true},
	"a length in a variable": {`decision if { all := input.request.segments; count(all[0]) > 2 }`, false, true},
	"a length in a pattern":  {`decision if { [a, b] = input.request.segments; count(b) > 2 }`, false, true},
	"headers in whole":       {`decision if count(input.request.headers) > 1`, true, false},
	"headers by a variable":  {`decision if { h := input.request.headers; h[input.context.id] }`, true, false},
}

// madeDocument makes a document of few words, so that many are alike in what is not narrowed.
func madeDocument(r *rand.Rand) *input.Document {
	words := strings.Split("orders tenant empty 0 1 01 +1 42 43 x y acme ACME x-own admin zeta a b/c ** xa /x ", " ")
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	claims := &authz.Claims{Active: true, Kind: authz.AccessToken, Fetched: start, Slot: new(authz.Slot),
		Tenant: pick("acme", "x", "ACME", "own"), Scopes: []string{pick("42", "x", "read")}}
	req := input.Request{Method: "GET", Path: pick("/a", "/b"), RawPath: "/", Segments: []string{},
		Query: map[string][]string{}, Headers: map[string][]string{}}
	for range r.IntN(4) {
		req.Segments = append(req.Segments, pick(words...))
	}
	for range r.IntN(4) {
		name := pick("x-tenant", "x-own", "x-request-id", "accept", "x", "orders", "empty")
		req.Headers[name] = []string{pick("acme", "x", "1", "2")}
	}
	doc := input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, start)
	doc.Context = []byte(pick(`{"id":"42"}`, `{"id":"x"}`, `{"id":"\u0078"}`, `{"id":"x-own"}`, `{"id":1}`))
	return doc
}

// TestWhatIsNarrowedDecidesNothing compares a policy that remembers with one that does not, over documents of which
// many share a key.
func TestWhatIsNarrowedDecidesNothing(t *testing.T) {
	for name, shape := range narrowShapes {
		t.Run(name, func(t *testing.T) {
			p, err := compiled(t, patient, map[string]string{"policies/t/data.json": narrowData,
				"policies/empty.rego": "package authz.parts.empty\n",
				"policies/authz.rego": "package authz\n\ndefault decision := false\n\n" + shape.rego})
			if err != nil {
				t.Fatal(err)
			}
			ref := rego.RefOf(decisionPath)
			own := reads.New(p.compiler)
			n := own.NarrowingOf(ref, p.entries[decisionPath].baseData)
			paths := fmt.Sprint(own.Of(ref).Paths)
			whole := func(path string) bool { return strings.Contains(strings.Trim(paths, "[]")+" ", path+" ") }
			if n.Segments != (shape.segments && whole("input.request.segments")) ||
				n.Headers != (shape.headers && whole("input.request.headers")) {
				t.Errorf("segments %t, headers %t of %s", n.Segments, n.Headers, paths)
			}
			remembers := *p
			remembers.remember(offlineMemory(), nil, own)
			r := rand.New(rand.NewPCG(1, uint64(len(name))))
			for range 600 {
				q := Question{Entrypoint: decisionPath, Document: madeDocument(r), Time: start, Seed: "s"}
				want, wantErr := p.evalAnew(t.Context(), p.entries[decisionPath].plain(), q, nil)
				got, gotErr := remembers.Eval(t.Context(), q)
				a, _ := want.AppendJSON(nil)
				b, _ := got.AppendJSON(nil)
				if fmt.Sprint(wantErr) != fmt.Sprint(gotErr) || string(a) != string(b) {
					doc, _ := json.Marshal(q.Document)
					t.Fatalf("%s\nis %s (%v), remembered %s (%v)", doc, a, wantErr, b, gotErr)
				}
			}
		})
	}
}

// TestALongPathIsNotNarrowed: the time to look at segments must not grow with their square.
func TestALongPathIsNotNarrowed(t *testing.T) {
	for name, c := range map[string]struct{ segments, context, entries int }{
		"as many segments as are compared": {64, 0, 1}, "one more": {65, 0, 2}, "much to search": {40, 8 << 10, 2},
	} {
		p := decisionOrNot(t, remembering(), `decision if {
	some s in input.request.segments
	s in {input.token.tenant, input.context.id}
}`)
		q := question(`{"id": "` + strings.Repeat("-", c.context) + `"}`)
		for i := range 6 {
			q.Document.Request.Segments = make([]string, c.segments)
			for n := range q.Document.Request.Segments {
				q.Document.Request.Segments[n] = fmt.Sprintf("%d-%d", i/3, n)
			}
			answered(t, p, q)
		}
		if n := p.MemoUse().Entries; n != c.entries {
			t.Errorf("%s: %d verdicts are remembered, want %d", name, n, c.entries)
		}
	}
}

// TestPathsWithIdentifiersShareAVerdict asks the shipped policies for paths that differ in what no route names.
func TestPathsWithIdentifiersShareAVerdict(t *testing.T) {
	set, err := dir.Load(dir.Config{Paths: []string{"../../policies"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(t.Context(), set, remembering(), decisionPath)
	if err != nil {
		t.Fatal(err)
	}
	claims := &authz.Claims{Active: true, Kind: authz.AccessToken, Tenant: "acme", Fetched: start,
		Scopes: []string{"orders:read"}, Audiences: []string{"https://api.example"},
		Slot: new(authz.Slot)}
	for i := range 100 {
		segments := []string{"orders", fmt.Sprint("id-", i)}
		req := input.Request{Method: "GET", Path: "/" + strings.Join(segments, "/"), Segments: segments,
			Headers: map[string][]string{"x-tenant": {"acme"}, "x-request-id": {fmt.Sprint(i)}}}
		q := Question{Entrypoint: decisionPath, Time: start,
			Document: input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, start)}
		answered(t, p, q)
	}
	if u := p.MemoUse(); u.Entries != 1 || p.memory.hits.Load() != 98 {
		t.Errorf("%d verdicts are remembered, %d were used again", u.Entries, p.memory.hits.Load())
	}
}
