package engine

// claimShapes are what policies do with claims, with members of objects, and with values of several kinds.
const claimShapes = `
x := $x; data.d.names[x]; x == $c
data.d.names[$x]; $x == $c
data.d.by[$s][$x]; $x != $c
some x in $l; data.d.names[x]; x == $s
data.d[input.context.v][input.context.w]
data.d.nested[$s][$n]
data.named[$s][$s]
net.cidr_contains("10.0.0.0/8", $l[_])
net.cidr_contains(concat("/", [$s, "8"]), input.request.source_ip)
net.cidr_intersects("10.1.0.0/16", input.request.source_ip)
regex.match(sprintf("^%s", [$s]), $s)
regex.match(concat("|", $l), $s)
glob.match($s, ["/"], $s)
glob.match(concat("/", $l), null, $s)
glob.match(sprintf("%v*", [$x]), [], $s)
input.request.headers[sprintf("x-%s", [$s])]
input.context[sprintf("%v", [$x])]
data.d.names[sprintf("%v", [$x])] == $s
graph.reachable(data.d.graph, {x | some x in $l}) == {"a", "b", "c"}
$s in graph.reachable(data.d.graph, {$s})
input.token.expires_at * 1000000000 < time.now_ns() + 60500000000
time.now_ns() - input.token.auth.time * 1000000000 < $x
{x | some x in $l} - {x | some x in $l} == set()
({"a", "b"} - {x | some x in input.token.scopes}) - {$s} == set()
{1: "a", 0: "b"}[$x] == $s
{1, 0, null, false}[$x]
$x in {1, "1", null}
1.0 == $x
[$x, 1] == [1.0, $x]
{"é": 1, "e\u0301": 2}[$s] == $x
lower($s) == "é"
count($s) == 1
{"e\u0301", "é"}[$s]
object.get(input.context, "v", null) == null
object.get(input.context, "v", false) == false
not input.context.v
not input.context.v == null
input.context.v == null
$l == []
count($l) == 0
not $l[0]
some y in $x; y.a == $c
input.context.v[_].a == $c
input.token.authorization_details[_].v == $x
every y in $x { y.a == 1 }
every k, y in input.context { not y == null; k != $s }
every x in $l { every y in $l { x == y } }
every x in $l { not data.d.names[x] }
object.union(input.context, {$s: 1})[$s] == 1
object.union(input.token.claims, input.context).v == $x
object.subset(input.context, {$s: $x})
walk(input, [p, y]); p[count(p) - 1] == $s; y == $c
walk(input.context, [[$s, "a"], y]); y == $c
walk(input.token, [p, $s]); count(p) > 1
input.request.segments[i] == input.request.segments[j]; i != j
some k in object.keys(input.request.headers); startswith(k, "x-"); input.request.headers[k] == $l
semver.compare(concat(".", [$s, "0", "0"]), "1.0.0") == 0
crypto.hmac.equal($s, $s)
= graph.reachable({k: x | some k, x in $x; is_array(x)}, [$s])
= graph.reachable_paths(data.d.graph, {$s})
= {x | some x in $l} - {x | some x in $l}
= {"a", "b"} - {x | some x in input.token.scopes}
= object.union_n([{"a": $s}, input.context, {$s: $x}])
= [concat("/", [sprintf("%v", [z]) | some z in p]) | walk(input.context, [p, y]); y == $c]
= json.filter(input, ["request/path", concat("/", ["context", $s])])
= json.filter(input.context, $l)
= json.remove(input.context, [$s, "v/a"])
= json.patch(input.context, [{"op": "replace", "path": concat("", ["/", $s]), "value": $x}])
= json.patch({"a": $x}, [{"op": "copy", "from": "/a", "path": concat("", ["/", $s])}])
= io.jwt.decode(concat(".", ["eyJhbGciOiJub25lIn0", base64url.encode_no_pad(json.marshal({"a": $x})), ""]))[1].a
= {sprintf("%v/%s", [$x, $s]): 1}
= [y.a | some y in $x]
= [startswith($s, "a"), endswith($s, $s)]
= regex.replace($s, "a|é", $s)
= glob.match(concat("", [$s, "*"]), [], $s)
= {is_null(object.get(input.context, $s, null)), is_boolean($x)}
= [$x, $x == 1, $x == 1.0, $x * 1]
= urlquery.encode_object({"a": $s, "b": $l})
= yaml.marshal($x)
`

// ownRuleShapes are rules that depend on each other through functions, "with", "else" and heads of several parts.
const ownRuleShapes = `every_none(l) if every x in l { x == null }
hit contains @ if every_none($l)
hit contains [@, 1] if every_none($x)
--
a@ := [$s, $x]
b@ := x if x := a@ with input.context.v as $s
hit contains [@, x] if x := b@ with input.context.w as $x with input.request.path as $s
hit contains [@, 1] if a@ == b@
--
a@ := [input.context, $s]
b@ contains x if x := a@ with input.context as {"v": $x}
hit contains [@, x] if x := b@ with input as {"context": {"v": $s}, "request": input.request}
--
f@(x, y) := x[y]
hit contains [@, f@(input.context, $s)]
hit contains [@, 1] if f@(data.d.names, $s)
hit contains [@, 2] if f@(input.context, "v") == f@(data.d.names, "a")
--
f@(x, y) := [x, y]
hit contains [@, f@($x, data.d.n)]
hit contains [@, f@(data.d.n, $x)]
hit contains [@, 1] if f@($s, $s) == f@(data.d.names.a, $s)
--
default f@(_, _) := false
f@(x, y) if x == y
hit contains [@, f@($x, $s)]
hit contains [@, f@($s, $s)]
--
f@([x, y]) := x if { x == y } else := y if { is_string(y) } else := "none"
hit contains [@, f@([$x, $s])]
hit contains [@, f@($x)]
--
f@(x) := "null" if { x == null } else := "false" if { x == false } else := "none" if { not x } else := x
hit contains [@, f@($x)]
hit contains [@, f@(object.get(input.context, $s, null))]
--
r@[$s].a[k] := x if some k, x in input.context
hit contains [@, r@[$s]]
hit contains [@, k] if r@[k].a.v
--
r@[$s].b contains $x
r@[$s].b contains $s
hit contains [@, r@[$s].b]
--
r@[$s]["a"] := $x
r@.a.x := $s
hit contains [@, r@]
--
# METADATA
# custom: {member: v, other: GET}
a@ := input.context[of.custom.member] if of := rego.metadata.rule()
hit contains [@, a@]
--
# METADATA
# custom: {roles: [a, b]}
a@ if {
	of := rego.metadata.chain()
	some role in input.token.roles
	role in of[0].annotations.custom.roles
}
hit contains [@, $s] if a@
--
missing@ := {"a", "b"} - {x | some x in input.token.scopes}
hit contains [@, missing@] if count(missing@) > 0
hit contains [@, $s] if missing@ == set()
--
extra@ := {x | some x in input.token.roles} - {x | some x in input.token.groups}
hit contains [@, extra@, $x]
--
route@ := {"GET": "a", "POST": "b"}[input.request.method] if input.request.segments = ["a", _]
hit contains [@, route@, $x]
hit contains [@, $s] if not route@
--
default route@ := "none"
route@ := data.d.by[input.request.method][input.request.segments[0]]
owner@ := "own" if { some x in input.request.segments; x == "u" }
hit contains [@, route@, $s]
hit contains [@, owner@, $x]
--
claims@ := object.union(input.token.claims, {"a": input.token.tenant})
hit contains [@, claims@, $x]
hit contains [@, claims@.v] if $s == "a"
--
default level@ := 0
level@ := input.token.claims.v
level2@ := level@ if { level@ > 0 } else := "low"
hit contains [@, level2@] if $s != "b"
hit contains [@, x] if x := level2@ with input.token.claims.v as $x
--
who@ := {"id": input.token.subject.id, "old": input.token.age > 1, "stale": input.token.stale}
hit contains [@, who@, $s]
--
of@ := input.token if input.token.active
hit contains [@, of@[$s]]
hit contains [@, of@.scheme, $x]
--
hit contains @ if { input.token.expires_at * 1000000000 > time.now_ns(); $s == "a" }
hit contains [@, 1] if { [_, m, _] := time.clock([time.now_ns(), "UTC"]); m == 0; $x }
--
hit contains [@, x] if { some x in input.context.v; x.a == 1 }
hit contains [@, 1] if count([x | some x in input.context.v; x.a]) == 1
--
hit contains [@, [type_name(x), x]] if x := input.context[$s]
hit contains [@, "missing"] if not $s in object.keys(input.context)
--
names@[lower(x)] := x if some x in $l
hit contains [@, names@[$s]]
--
a@(x) := data.d.names[x]
b@(x) := x if not a@(x)
hit contains [@, a@($s)]
hit contains [@, b@($s), b@($x)]
--
deny@ contains $s if { x := input.context.v; data.d.names[x]; x == $c }
hit contains @ if count(deny@) == 0
--
allowed@ := data.d.set
hit contains [@, [x | some x in $l; x in allowed@]]
hit contains [@, x] if x := $x in allowed@ with data.d.set as [1, null]
`
