package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/input"
)

const indexedData = `{"n": "a", "names": {"a": "a", "1": "a", "no": false}, "list": ["a", 1, null, ["a"]],
	"by": {"a": {"a": "a", "1": "a"}, "b": {"a": ["a"]}}, "items": [{"a": "a"}, {"a": 1}], "o": {"a": "a"}}`

// indexedDocument draws a document in which most places have the same value, most lists hold it, and most objects have
// it under the name "a", so that conditions often hold.
func indexedDocument(r *rand.Rand) *input.Document {
	main := draw(r, []string{`"a"`, `"a"`, `"a"`, `1`})
	value := func() string {
		if r.IntN(5) > 0 {
			return main
		}
		return draw(r, []string{`"a"`, `"b"`, `1`, `1.0`, `"1"`, `["a"]`, `{"a": "a"}`, `null`, `false`, `true`, `""`})
	}
	list := func() string {
		if r.IntN(8) == 0 {
			return value()
		}
		return "[" + value() + ", " + value() + "]"
	}
	object := func() string {
		if r.IntN(8) == 0 {
			return value()
		}
		return `{"a": ` + value() + `, "b": ` + value() + `}`
	}
	all := func() string {
		return fmt.Sprintf(`{"v": %s, "w": %s, "l": %s, "o": %s}`, value(), value(), list(), object())
	}
	d := question(all()).Document
	d.Claims.Raw = []byte(all())
	d.Token.Claims, d.Token.Scopes = d.Claims.Raw, [][]string{{"a"}, {"a", "b"}, {"b"}, {}}[r.IntN(4)]
	d.Request.Segments = []string{"a", draw(r, []string{"a", "b"})}[:1+r.IntN(2)]
	d.Request.Headers = map[string][]string{"x-a": {draw(r, []string{"a", "A", "b", "1"})}}
	return d
}

// indexedLeaves are forms of $n, $r, $v, $w, $e and $i: a constant, a text or the like, a list, an object, what a
// variable is bound to, and a condition that a rule index looks at.
var indexedLeaves = map[byte][]string{
	'n': forms(`
"a"
"a"
"a"
"a"
"a"
"a"
"b"
1
1.0
true
null
["a"]
{"a": "a"}
`),
	'r': forms(`
input.context.v
input.context.v
input.context.v
input.context.w
input.context.w
input.token.claims.v
input.token.claims.w
input.context.o.a
input.context.l[0]
input.context[data.d.n]
data.d.n
input.request.segments[0]
input.request.headers["x-a"][0]
input.token.scopes[0]
`),
	'v': forms(`
input.context.l
input.context.l
input.context.l
input.token.claims.l
input.token.scopes
data.d.list
["a", 1]
`),
	'w': forms(`
input.context.o
input.context.o
input.context.o
input.token.claims.o
data.d.o
data.d.names
`),
	'e': forms(`
$r
$r
$n
lower($r)
object.get({}, "a", $r)
$v[0]
$v[_]
$w.a
{"a": $r}.a
data.d.names[$r]
data.d.by[$r].a
[y@ | some y@ in $v][0]
`),
	'i': forms(`
x@ := $e!x
x@ := $e!x
x@ := $e!x
x@ := $e!x
x@ := $e!x
x@ := $e!x
some x@ in $v!x
some x@ in $v!x
some x@ in ["a", 1]!x
some k@, x@ in $w!k!x
$r == $n
$r == $n
$r == $n
$r == $n
$n == $r
$r = $n
$r == $r
$r in $v
$r in $v
$r in $v
$r in $v
$r in [$n, $n]
$r in [$n, $n]
$r in {$n, "a"}
$n in $v
$r
data.d.names[$r]
data.d.names[$r]
`),
}

// indexedGrammar are the forms of these kinds that have others in them, or rules.
var indexedGrammar = map[byte][]string{
	'e': forms(`
--
r@
r@ := $e if { $j }
--
f@($r)
f@(x@)!x := $e if { $j }
`),
	'i': forms(`
$r != "b"
not $r == "b"
not $r in ["b", []]
not $r == []
$r in {"k": $n, "l": "a"}
$r in $w
"a" in $w
$v[_] == $n
$n = $v[_]
$w.a == $n
$w.a
$v[0] == $n
$w
$v = [$n, _]
$v = [x@, _]!x
x@ = $e!x
[x@, $n] = [$r, $r]!x
$w = {"a": x@, "b": _}!x
x@ := $w; x@.a == $n
x@ := $w; x@[_] == $n
some x@ in data.d.items; x@ in [$w]; x@.a == $n
some x@ in [$w]; x@.a == $n
x@ := [$n, "a"]; $r in x@
data.d.by[$r][$r]
data.d.by.a[$r]
data.d.by[$r].a == $n
x@ := "by"; data.d[x@][$r][$r]
data.d.list[_] == $r
startswith($r, "a")
endswith($r, "a")
strings.any_prefix_match($r, ["a", "b"])
glob.match("*", [], $r)
every x@ in $v {x@ != "c" }
is_array($v)
{ $r == $n } or $r == $n
$r in [$n] or $r == $n
$r == $n and $r == $n
{ $r in $v; $r == $n } or $r
$r == $n with input.context.v as $n
--
r@
r@ if { $j }
r@ if { $j }
--
not r@
r@ if { $j; $r == "b" }
--
r@ == $n
r@ := $e if { $j }
--
f@($r)
f@(x@)!x if { $j }
f@(x@)!x if { $j }
--
f@($r)
f@("a")
f@(1)
--
f@($r, $r)
f@(x@, x@)!x if { $j }
f@(1, x@)!x if { $j }
f@(x@, y@)!x!y if { $j }
--
f@([$r, $n])
f@([x@, 1])!x if { $j }
f@([x@, y@])!x!y if { $j }
--
f@($w)
f@(x@) if x@.a == $n
--
f@($v)
f@(x@) if $n in x@
--
p@[$r]
p@ contains x@ if { x@ := $e!x; $j }
p@ contains $n if { $j }
--
p@[$r] == 1
p@[x@] := 1 if { some x@ in $v!x; $j }
--
r@ with input.context.v as $n
r@ if { $j }
r@ if { $j }
--
r@ with input.context as {"v": $r, "w": $n, "l": [$n], "o": {"a": $n}}
r@ if { $j }
--
r@ with data.d.names as {"a": $r, "1": $r}
r@ if { $j }
`),
}

// indexedDecisions are those of several rules that an index is to tell apart.
var indexedDecisions = forms(`
decision if { $j }
--
decision contains 1 if { $j }
decision contains 2 if { $j }
decision contains 3 if { $j }
--
decision contains 1 if { $j }
decision contains 2 if { $j }
decision contains 3 if { $j }
decision contains 4 if { $j }
decision contains 5 if { $j }
decision contains 6 if { $j }
--
decision if { $j }
default decision := false
decision if { $j }
decision if { $j }
--
decision := 1 if { $j } else := 2 if { $j } else := 3 if { $j } else := 4
--
decision := 1 if { $j } else := 2 if { $j }
decision := 1 if { $j } else := 3 if { $j }
decision := 1 if { $j }
--
decision["a"] := 1 if { $j }
decision["b"] := 1 if { $j }
decision[x@] := 2 if { some x@ in $v!x; $j }
--
decision.a contains 1 if { $j }
decision.a contains 2 if { $j }
decision.b := 1 if { $j }
decision.b := 1 if { $j }
decision.b := 1 if { $j }
--
decision contains f@($r, $r)
f@(x@, y@)!x!y := 1 if { $j } else := 2 if { $j }
f@(x@, y@)!x!y := 1 if { $j } else := 3
--
decision contains f@($r)
default f@(_) := "none"
f@(x@)!x := 1 if { $j }
f@("a") := 1
f@(x@)!x := 1 if { $j }
`)

// compareIndexed compares answers with those of evaluations without the rule index, and counts them.
func (p *drawnProgram) compareIndexed(t *testing.T, d *input.Document) (compared int) {
	in, err := p.view.Value(d)
	if err != nil {
		return 0
	}
	want, err := p.decision.eval(t.Context(), in, evalOptions{time: start, tracer: noTracer{}})
	if err != nil {
		return 0 // perhaps of a builtin that the index spares, since another condition of the rule does not hold
	}
	if got := p.answer(t, d); got != fmt.Sprint(want, nil) {
		text, _ := d.AppendJSON(nil)
		t.Errorf("%s with the rule index, %v without, of\n%s\n%s", got, want, p.text, text)
	}
	return 1
}

// TestTheIndexChangesNoAnswerOfDrawnPrograms draws programs of what a rule index looks at. MEMO_PAIRS is about the
// number of pairs.
func TestTheIndexChangesNoAnswerOfDrawnPrograms(t *testing.T) {
	store, txn := drawnStore(t, "d", indexedData)
	n := pairs(t) / 10
	r := rand.New(rand.NewPCG(22, uint64(n)))
	draws := programs{random: r}
	programs, compared := 0, 0
	for drawn := 0; drawn < n && !t.Failed(); drawn += 100 {
		texts := make([]string, 100)
		for i := range texts {
			texts[i] = "import future.keywords.and\nimport future.keywords.or\n" + draws.program(indexedDecisions)
		}
		for _, p := range preparedPrograms(t, store, txn, texts) {
			programs++
			for range 20 {
				compared += p.compareIndexed(t, indexedDocument(r))
			}
		}
	}
	if t.Logf("of %d programs %d compile: %d pairs", n, programs, compared); programs < n/4 || compared < 4*n {
		t.Error("the test says little")
	}
}
