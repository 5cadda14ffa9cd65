package engine

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// stringPlaces are members of the input that are texts, anyPlaces those of any type, listPlaces lists of texts.
var (
	stringPlaces = strings.Fields(`input.request.segments[0] input.request.segments[1] input.request.segments[2]
		input.request.method input.request.path input.request.raw_path input.request.host
		input.request.segments[0] input.request.segments[1] input.request.headers["x-a"][0] input.request.body
		input.request.headers.accept[1] input.request.query.q[0] input.request.source_ip input.token.tenant
		input.token.subject.id input.token.subject.username input.token.client_id input.token.issuer input.token.id
		input.token.kind input.token.roles[0] input.token.scopes[1] input.subject.id input.action.name
		input.resource.type input.resource.id input.mcp.tool input.token.actor.subject input.token.auth.acr`)
	anyPlaces = strings.Fields(`input.context.v input.context.w input.context.v.a input.context input.token.claims.v
		input.token.claims.w.a input.subject.properties.v input.resource.properties.w input.action.properties.v
		input.mcp.arguments.v input.token.authorization_details[0].v`)
	listPlaces = strings.Fields(`input.request.segments input.token.scopes input.token.roles input.token.groups
		input.token.audiences input.request.headers["x-a"] input.request.query.q input.token.auth.amr`)
	restPlaces = strings.Fields(`input.token.auth.level input.token.expires_at input.request.port input.token.age
		input.token.present input.token.stale input.token.binding.verified input.request.body_truncated input.token
		input.request input.subject input.resource input.mcp input.request.headers input.request.query
		input.token.binding input.token.auth input.token.actor input.token.claims input`)
	constants = strings.Fields(`"a" "b" "" "a/b" "é" "GET" 0 1 1.0 -0 100 1e2 null true false [] {} ["a"] ["a","b"]
		{"a":1} [1,[0]] 9007199254740993`)
	memberNames = strings.Fields(`a b v w x-a admin GET é`)
)

// shaped draws one policy of a shape. In a shape, @ is a number that makes names unique, $s, $x, $l and $p are places
// of texts, of anything, of lists and of all these, $c is a constant and $n the name of a member. A shape without a
// rule is a condition, or, after "=", an expression with a value.
func shaped(random *rand.Rand, shape string, id int) string {
	lists := map[byte][]string{'s': stringPlaces, 'x': anyPlaces, 'l': listPlaces, 'c': constants, 'n': memberNames}
	var b strings.Builder
	for i := 0; i < len(shape); i++ {
		switch c := shape[i]; {
		case c == '@':
			b.WriteString(strconv.Itoa(id))
		case c == '$' && shape[i+1] == 'p':
			b.WriteString(draw(random, draw(random, [][]string{stringPlaces, anyPlaces, listPlaces, restPlaces})))
			i++
		case c == '$' && lists[shape[i+1]] != nil:
			b.WriteString(draw(random, lists[shape[i+1]]))
			i++
		default:
			b.WriteByte(c)
		}
	}
	text, n := b.String(), strconv.Itoa(id)
	if value, ok := strings.CutPrefix(text, "= "); ok {
		return "hit contains [" + n + ", v] if v := " + value + "\n"
	}
	if strings.Contains(text, "hit contains") {
		return text + "\n"
	}
	return "hit contains " + n + " if { " + text + " }\n"
}

func draw[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

// shapedPolicy is a policy whose decision says what holds of some shapes.
func shapedPolicy(random *rand.Rand, shapes ...string) map[string]string {
	rego := "decision := {\"allow\": count(hit) > 1, \"context\": {\"hit\": hit}}\n\nhit contains 0 if false\n\n"
	imports := ""
	for i, shape := range shapes {
		rego += shaped(random, shape, i+1)
		for _, name := range []string{"routes", "scopes", "tenant", "audience", "login"} {
			if use := "import data.sidecar." + name + "\n"; strings.Contains(shape, name+".") &&
				!strings.Contains(imports, use) {
				imports += use
			}
		}
	}
	return map[string]string{
		"policies/named.rego": namedRules,
		"policies/authz.rego": "package authz\n\n" + imports + "\n" + rego,
		"policies/d/data.json": `{"by": {"GET": {"a": 1, "admin": true}, "a": {"a": "b", "b": "a/b"}, "": {"v": null},
				"b": ["x", "a", true], "POST": ["a", {"a": "b"}]},
			"set": ["a", "b", "a/b", "é", 1, null, false], "names": {"a": "b", "b": "a", "é": "x", "1": 1},
			"mixed": {"a": ["p"], "0": 1, "b": "u"}, "n": 1, "nested": {"a": {"b": {"c": "p"}}, "b": {"b": {"c": "q"}}}, "list": [1, "a", null, false, ["a"]],
			"graph": {"a": ["b"], "b": ["a", "c"], "c": []}, "late": {"GET": 1795168800000000000}}`,
		"policies/routes/data.yaml": routesOfShapes,
	}
}

// namedRules are rules that shapes name at run time.
const namedRules = `package named

a := input.context.v

b if input.request.method == "GET"

GET[input.request.path] := input.token.tenant

deep.a[k] := x if some k, x in input.context

deep.b.a := input.token.subject.id

deep.b.b := x if x := other with input.request.path as input.request.raw_path

other := {input.request.path, input.request.host}
`

const routesOfShapes = `
/a:
  GET: {id: a, scopes: [a], audience: [a], tenant: none}
  /*:
    GET: {id: a_any, scopes: [b], audience: [b], tenant: {segment: 1}}
    /b:
      POST: {id: a_any_b, scopes: [], audience: [a], tenant: {header: x-a}, roles: [a, b]}
/b:
  /**:
    GET: {id: b_rest, anonymous: true}
`

func TestEachShapeCompiles(t *testing.T) {
	if n := len(shapes()); n < 200 {
		t.Errorf("%d shapes", n)
	}
	for i, shape := range shapes() {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		var err error
		for range 20 {
			if _, err = compiled(t, patient, shapedPolicy(random, shape)); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("shape %q: %v", shape, err)
		}
	}
}
