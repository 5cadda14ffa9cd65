package engine

import "strings"

// shapes are the kinds of rules that policies are drawn from, as shaped reads them: one a line, or, between lines of
// "--", one of several lines.
func shapes() []string {
	out := strings.Split(strings.TrimSpace(conditionShapes+valueShapes+claimShapes[1:]+indexShapes[1:]), "\n")
	for shape := range strings.SplitSeq(ruleShapes+"--\n"+ownRuleShapes+"--\n"+indexRuleShapes, "--\n") {
		out = append(out, strings.TrimSpace(shape))
	}
	return out
}

const conditionShapes = `
data.d.by[input.request.segments[0]][input.request.segments[1]]
data.d.by[$s][input.request.segments[1]]
data.d.by.GET[input.request.segments[0]] == $c
data.d.mixed[input.request.segments[0]]
data.d.mixed[_] == input.request.segments[0]
input.request.segments[0] == input.request.segments[1]
input.request.segments[0] == input.request.segments[2]
input.request.segments[_] == input.token.tenant
input.request.segments[1] == $s
input.request.segments[1] in $l
some x in input.request.segments; data.d.names[x]
some x in input.request.segments; x == data.d.names[_]
data.d.names[concat("", ["/", input.request.segments[0]])]
data.d.nested[input.request.segments[0]][input.request.segments[1]].c
some i, x in input.request.segments; input.request.segments[i + 1] == x
input.request.segments[0] != input.request.segments[1]
not input.request.segments[1] == input.request.segments[0]
not data.d.names[input.request.segments[1]]
count(input.request.segments) == 2
count(input.request.segments[0]) == 1
input.request.segments[0] < "b"
input.request.segments[0] < input.request.segments[1]
{"u": 1}[input.request.segments[0]] == 1
["u", "w1"][_] == input.request.segments[1]
input.request.segments == ["a", "u"]
input.request.segments == split($s, "/")
object.get(data.d.by, input.request.segments[0], {}) == {}
object.get(data.d.by, [input.request.segments[0], input.request.segments[1]], "none") == "none"
is_number(input.request.segments[1])
to_number(input.request.segments[1]) == 1
array.slice(input.request.segments, 1, 2) == ["u"]
array.slice(input.request.segments, 1, 3) == array.slice(input.request.segments, 0, 2)
input.request.headers[data.d.names[$s]]
input.request.headers[input.request.segments[0]]
some name in ["x-a", "x-b"]; input.request.headers[name][_] == "a"
some name in data.d.set; input.request.headers[name]
count(input.request.headers) > 2
input.request.headers == {}
some name; input.request.headers[name][0] == input.request.segments[0]
input.request.query[data.d.names.a]
input.request.path == concat("/", array.concat([""], input.request.segments))
input.request.segments[minus(count(input.request.segments), 1)] == "b"
$p
not $p
$p == $p
$p != $p
$x == $c
$x = $c
$c == $x
not $x == $c
$x != $c
$x > 0
$x < $x
$x == null
$x == false
$x == 1
$x == "1"
not $x == null
$s == "a"
$s == $s
$s != "a/b"
$s in ["a", "b"]
$s in {"GET", "a/b"}
$s in data.d.set
$x in data.d.set
$x in [$c, $c]
$c in $x
"a" in $l
not "a" in $l
"a/b" in $l
$s in $l
some i; $l[i] == "a"
some x in $l; x == $s
some k, x in $x; k == x
some k, _ in input.request.headers; k == "x-a"
some k, x in input.request.query; "a" in x; k != ""
some i; $l[i] == $l[i]
$l[_] == $l[_]
$l == ["a", "b"]
$l = ["a", x]; x != ""
$l = [_, _]
$l = [x, x]
$l == []
count($l) == 1
count($l) > count($l)
startswith($s, "a")
endswith($s, "b")
startswith($s, $s)
startswith($x, "a")
strings.any_prefix_match($s, ["a", "GE"])
strings.any_suffix_match($s, $l)
contains($s, "/")
contains($x, "a")
glob.match("a/*", ["/"], $s)
glob.match("*", ["/"], $x)
glob.match("{a,b}", [], $s)
regex.match("^a+$", $s)
regex.match("^[a-z]/.$", $x)
regex.match($s, "a")
is_string($x)
is_null($x)
is_number($x)
is_boolean($x)
is_array($x)
is_object($x)
not is_string($x)
data.d.names[$s]
data.d.names[$s] == $s
data.d.names[$x]
data.d.names[$x] == $x
data.d.by[$s].admin
data.d.by[$s][$s]
data.d.by[$s].$n
data.d.nested[$s].b.c == "p"
data.d.nested[_].b.c == $s
data.d.nested[k].b.c; k == $s
data.d.list[$x]
data.d.list[i] == $x; i > 0
not data.d.names[$s]
not data.d.by[$s][$s]
data.d[$s]
data.d[$s][$s]
data.d[k].a == $x; k != ""
input[$s]
input[k].v == $x; k != "context"
input.request[$s]
input.request[k] == "a"; k != "path"
input.token[$s] == $s
input.request.headers[$s]
input.request.headers[k][_] == "a"; k != "accept"
input.request.query[$s][0] == "a"
input.context[$s]
input.context[$x]
input.context[$s][$s]
input["context"]["v"]
input["request"]["headers"]["x-a"]
input.request.segments[2] == "b"
input.request.segments[7]
input.request.segments[count($l)]
input.request.segments[i] == "a"; i > 0
input.token.scopes[0] == $s
input.token.roles[5]
input.context.v[0]
input.context.v[1] == "b"
input.context.v["0"]
input.context["v.a"]
every x in $l { x != "a" }
every i, x in $l { i < 2; x != $s }
every k, x in $x { k != x }
data.named[$s]
data.named[$s] == $x
data.named[k] == $s; k != "a"
data.named.deep[$s]["a"]
walk(input.context, [p, x]); count(p) > 0; x == $c
walk(input, [["request", "path"], x]); x == "a"
walk($x, [p, 1])
walk(input.request, [p, "a"]); count(p) > 0
{ "a", "b" } == { x | some x in $l }
{ x | some x in $l } & { "a" } != set()
object.get($x, "a", $c) == $c
object.get(input.context, ["v", "a"], null) == null
object.get(input.request.headers, "x-a", [])[0] == "a"
object.get(input.request, $s, "a") == "a"
object.get(input, ["token", $s], false) == false
object.subset($x, {"a": 1})
object.keys($x) == {"a"}
json.filter($x, ["a"]) == {"a": 1}
json.remove($x, ["a"]) == {}
to_number($x) == 1
lower($s) == "get"
split($s, "/") == ["a", "b"]
concat("/", $l) == "a/b"
concat("/", $l) == $s
sprintf("%v", [$x]) == "1"
array.concat($l, $l)[1] == "b"
trim_prefix($s, "a") == "/b"
graph.reachable(data.d.graph, [$s]) == {"a", "b", "c"}
net.cidr_contains("10.0.0.0/8", $s)
time.now_ns() > $x
time.now_ns() < data.d.late[$s]
rand.intn($s, 3) == 1
uuid.rfc4122($s) < "8"
input.token.expires_at * 1000000000 > time.now_ns()
input.token.age < 5
input.token.stale
input.token.present; not input.token.active
x := input; x.request.path == "a"
x := input.request; y := x.headers; y["x-a"][0] == $s
x := input.context; y := x.v; z := y.a; z
[x, y] := [$x, $x]; x == y
{"a": x} = $x; x != null
[x, _] = $x; x == 1
{"v": x, "w": x} = input.context
[input.request.method, $s] == ["GET", "a"]
{"m": $s, "p": $x} == {"m": "a", "p": 1}
true with input as {}
$s == "a" with input.request.path as "a"
$x with input as input.context
`

const valueShapes = `
= {x | some x in input.request.segments}
= [x | some x in input.request.segments; data.d.names[x]]
= count({x | some x in input.request.segments})
= input.request.segments
= input.request.segments[1]
= data.d.by[input.request.segments[0]][input.request.segments[1]]
= {x: 1 | some x in input.request.segments}
= object.get(data.d.names, input.request.segments[0], "none")
= object.get(data.d.by, input.request.segments, "none")
= [i | some i; input.request.segments[i] == input.request.segments[0]]
= [k | some k, x in data.d.names; x == input.request.segments[0]]
= {"a": input.request.segments}["a"][0] == "u"
= input.request.headers["x-a"]
= [input.request.headers[name] | some name in ["x-a", "q"]]
= [v | v := input.request.headers[data.d.list[_]]]
= $p
= [$p, $p]
= {"a": $p}
= {$s: $x}
= {$s, $x}
= $s
= $x
= $l
= count($l)
= count($x)
= [x | some x in $l]
= {x | some x in $l; x != "a"}
= {k: x | some k, x in $x}
= {k: x | some k, x in input.request.headers}
= [k | some k, _ in input.request.query]
= [[i, x] | some i, x in $l; i > 0]
= sum([1 | $p])
= count([1 | some x in $l; x in $l])
= [p | walk(input.context, [p, _])]
= [x | walk($x, [_, x])]
= object.get($x, "a", "none")
= object.get($x, ["a", 0], null)
= object.get(input, [$s, "v"], "none")
= object.union({"a": 1}, $x)
= json.marshal($x)
= json.unmarshal($s)
= json.unmarshal(json.marshal($x))
= sprintf("%s %v %d", [$s, $x, count($l)])
= sprintf("%v", [input])
= type_name($x)
= max([1, $x])
= sort($l)
= array.slice($l, 0, 1)
= array.reverse($l)
= split($s, "/")[0]
= substring($s, 0, 1)
= indexof($s, "/")
= upper($s)
= replace($s, "a", "b")
= base64.encode($s)
= crypto.sha256($s)
= $x + 1
= $x - $x
= $x * 1.0
= [$x == $x, $x != $x, $x < $x]
= [is_null($x), is_string($x)]
= startswith($s, "a")
= data.d.names[$s]
= data.d.by[$s]
= data.d.by[$s][$s]
= data.d.list[$x]
= [x | x := data.d.names[$l[_]]]
= {"a": 1}[$s]
= ["x", "y"][$x]
= input
= input.request
= input.token
= input.context
= [k | some k, _ in input]
= input[$s]
= time.clock(time.now_ns())
= rand.intn($s, 100)
= uuid.rfc4122("a")
= time.parse_rfc3339_ns($s)
= io.jwt.decode($s)[1]
= $"{$s}/{$x}"
= ["a", $x] in [["a", 1]]
= {x: y | some i; x := $l[i]; y := i}
= [v1 | v1 := $x with input.context as {"v": 1}]
= glob.quote_meta($s)
= numbers.range(0, count($l))
= urlquery.encode($s)
= urlquery.decode_object($s)
= object.keys(input.request.headers)
= intersection({{x | some x in $l}, {x | some x in $l}})
= data.named
= data.named[$s]
= data.named.b
= [x | x := data.named[_]]
= union({{$s}, {$x}})
= bits.and($x, 3)
= abs($x)
`
