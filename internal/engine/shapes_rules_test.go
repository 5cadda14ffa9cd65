package engine

// ruleShapes are those that are more than a condition.
const ruleShapes = `
every_a(l) if every x in l { x == "a" }
hit contains @ if not every_a($l)
--
f@(x) := x.request.path
hit contains [@, f@(input)]
--
f@(x) := x if x == "a"
f@(x) := "b" if x != "a"
hit contains [@, f@($s)]
--
f@(x, y) if x == y
hit contains @ if f@($x, $x)
hit contains [@, 1] if not f@($s, $s)
--
f@(x) := y if { y := x.v } else := "none"
hit contains [@, f@($x)]
--
f@("GET") := 1
f@("a") := 2
f@(x) := 3 if not x in ["GET", "a"]
hit contains [@, f@($s)]
--
f@(x) if input.request.headers[x]
hit contains @ if f@("x-a")
--
f@(x) := input[x]
hit contains [@, f@("context")]
--
f@(x) := g@(x.v)
g@(x) := [x, $s]
hit contains [@, f@(input.context)]
--
f@(x) := object.get(x, $s, "none")
hit contains [@, f@(input.context)]
--
r@ := $s
hit contains @ if r@ == "a" with input as {"request": {"path": "a", "method": $s}}
--
r@ if $s == "a"
hit contains @ if r@ with input.request.path as $s
hit contains [@, 1] if r@
--
r@ := [$s, $x]
hit contains [@, x] if x := r@ with input.context as {"v": $s}
--
r@ := [$s, $x]
hit contains [@, x] if x := r@ with input as input.context
--
r@ := $x
hit contains [@, x] if x := r@ with input.context.v as $s with input.context.w as 1
--
r@ := data.d.names[$s]
hit contains [@, x] if x := r@ with data.d.names as {"a": $s}
--
r@ := data.d.by[$s][$s]
hit contains [@, x] if x := r@ with data.d.by as input.context
--
f@(x) := x
r@ := f@($s)
g@(x) := [x, $x]
hit contains [@, x] if x := r@ with f@ as g@
--
r@ := count($l)
c@(x) := [x, $s]
hit contains [@, x] if x := r@ with count as c@
--
r@ if time.now_ns() == 5
hit contains @ if r@ with time.now_ns as 5
hit contains [@, 1] if r@ with time.now_ns as $x
--
r@ := $s if $x == 1
else := $s if $x == "1"
else := "none"
hit contains [@, r@]
--
r@ if $s == "a"
else := false if $s == "b"
else := [$x] if $p
hit contains [@, r@]
--
default r@ := "none"
r@ := $s
hit contains [@, r@]
--
default r@ := false
r@ if $s == "a"
r@ if $x == 1
hit contains [@, r@]
--
default f@(_) := "none"
f@(x) := x.a
hit contains [@, f@($x)]
--
r@ contains x if some x in $l
r@ contains x if some x in $l
hit contains [@, r@]
--
r@ contains $s
hit contains @ if r@[$s]
--
r@ contains [x, y] if { some x in $l; some y in $l }
hit contains @ if ["a", _] = r@[_]
--
r@[k] := x if some k, x in input.request.headers
hit contains [@, r@["x-a"]]
--
r@[k] := x if some k, x in input.context
hit contains [@, r@[$s]]
--
r@[$s] := $x
hit contains [@, k] if r@[k]
--
r@.a := $s
r@.b := $x
r@.c.d if $s == "a"
hit contains [@, r@]
--
r@.a[k] := x if some k, x in input.context
r@.b[$s] contains $x
hit contains [@, r@.a]
hit contains [@, r@.b.a]
--
r@[$s][$s] := 1
hit contains [@, r@.a]
--
r@.a := $s
r@.b := $x
hit contains [@, x] if x := r@[$s]
--
r@.path := "a"
r@.v := 1
hit contains @ if { some k; r@[k] == input.context[k] }
--
deny@ contains "a" if not $s in $l
deny@ contains "b" if $x != 1
hit contains @ if count(deny@) == 0
--
deny@ contains x if { some x in $l; not data.d.names[x] }
hit contains [@, deny@]
--
a@ if b@
b@ if c@
c@ if $s == "a"
hit contains @ if a@
hit contains [@, 1] if not b@
--
a@ := input
b@ := a@.request
c@ := b@.headers
hit contains [@, c@["x-a"]]
--
a@ := {"i": input.context, "t": input.token}
hit contains [@, a@.i.v]
hit contains [@, 1] if a@.t.tenant == "a"
--
a@ := {"x": $s, "y": {"z": $x}}
hit contains [@, a@.y.z]
hit contains [@, a@[$s]]
--
a@ := [$s, $x, $l]
hit contains [@, a@[2]]
--
a@ := data.d.nested[$s]
hit contains [@, a@.b.c]
hit contains [@, 1] if not a@
--
a@ := data.d
hit contains [@, a@[$s]]
--
a@ := {x | some x in $l}
b@ := {"a", "b"}
hit contains [@, a@ - b@]
hit contains [@, 1] if a@ == b@
--
a@ := {k | some k, _ in $x}
hit contains [@, a@]
--
a@ contains k if { some k; input.context[k] == null }
hit contains [@, a@]
--
a@ contains k if { some k; not input.context[k] == false; input.context[k] }
hit contains [@, a@]
--
a@(p) if glob.match(p, ["/"], $s)
hit contains [@, p] if { some p in ["a/*", "*", "**", "a"]; a@(p) }
--
a@(p) := object.get(input, p, "none")
hit contains [@, a@(["request", "path"])]
hit contains [@, a@(["token", $s])]
--
a@ if { x := $s; y := x; z := y; z == "a" }
hit contains @ if a@
--
a@ if { some p, x; walk(input.context, [p, x]); p[minus(count(p), 1)] == "a"; x == 1 }
hit contains @ if a@
--
a@ contains p if { walk(input, [p, x]); x == "a/b" }
hit contains [@, a@]
--
a@ contains [p, x] if { walk(input.token, [p, x]); is_boolean(x) }
hit contains [@, a@]
--
hit contains [@, x] if { some i; x := input.request.segments[i]; input.request.segments[0] == "a" }
--
hit contains @ if { input.request.segments = ["a", x, "b"]; x != "" }
--
hit contains [@, x] if { input.request.segments = ["a", x] }
hit contains [@, 1] if input.request.segments = ["a", _, "b"]
--
hit contains @ if { s := concat("/", input.request.segments); s == $s }
--
hit contains [@, array.slice(input.request.segments, 1, 3)] if input.request.method == "GET"
--
hit contains [@, routes.route.id]
--
hit contains @ if routes.exists
hit contains [@, 1] if routes.open(routes.route)
--
hit contains @ if { r := routes.route; scopes.granted(r.scopes) }
--
hit contains @ if { r := routes.route; tenant.kept(r.tenant) }
--
hit contains @ if { r := routes.route; audience.accepted(r.audience) }
--
hit contains @ if scopes.granted(["a"])
hit contains [@, 1] if not scopes.granted(["a", "b"])
--
hit contains @ if login.in_role(["a", "b"])
hit contains [@, 1] if login.by(["a"])
--
hit contains @ if login.within(300)
--
hit contains [@, x] if { some name in ["x-a", "accept"]; x := input.request.headers[name][0] }
--
hit contains [@, x] if { names := ["v", "w"]; x := input.context[names[_]] }
--
key@ := "v"
hit contains [@, input.context[key@]]
--
key@ := data.d.names[$s]
hit contains [@, input.context[key@]]
--
keys@ := {"request", "context"}
hit contains [@, k] if { some k in keys@; input[k] }
--
hit contains [@, x] if { x := input[data.d.names.a][0] }
hit contains [@, x] if x := input.request[concat("", ["pa", "th"])]
--
hit contains [@, x] if { x := [y | y := input.context[_]; y != null] }
--
hit contains [@, x] if { x := {k: y | y := input.context[k]; is_number(y)} }
--
hit contains [@, x] if { x := [y | some z in [1, 2]; y := [z, $s]] }
--
hit contains @ if { not not_a@ }
not_a@ if $s == "a"
not_a@ if $x == 1
--
hit contains @ if { every x in $l { some y in $l; x == y } }
--
hit contains @ if { count({x | some x in $l}) == count($l) }
--
hit contains [@, x] if { x := input.request.headers; not x["x-b"] }
--
hit contains [@, x] if { some x in [input.context.v, $s, $x]; x != null }
--
hit contains @ if { a := $x; b := $x; a < b }
hit contains [@, 1] if { $x <= $x }
--
hit contains [@, $x] if $s == "a"
hit contains [@, $x] if $s == "b"
hit contains [@, $x] if $s == "a/b"
--
hit contains [@, 1] if startswith($s, "a")
hit contains [@, 2] if startswith($x, "a")
hit contains [@, 3] if startswith($s, "a/")
hit contains [@, 4] if endswith($s, "b")
--
hit contains [@, 1] if { $s == "a"; $s == "b"; $x == 1 }
hit contains [@, 2] if { $s == "a"; $x == 1 }
hit contains [@, 3] if { $s == "b"; $x == null }
--
import_alias@ := data.authz.allowed@
allowed@ if $s == "a"
hit contains @ if import_alias@
--
hit contains [@, x] if x := data.named[$s] with input as {"context": {"v": $s}}
--
f@ := data.named
hit contains [@, f@[$s]]
--
hit contains [@, x] if { some k; x := data.named.deep[k][k] }
--
hit contains @ if data[concat("", ["na", "med"])].b
hit contains [@, x] if x := data["named"]["a"]
--
lim@ := data.d.late[$s]
hit contains @ if time.now_ns() < lim@
--
first@ := [x | some x in $l][0]
hit contains [@, first@]
--
hit contains [@, object.filter(input.token, ["tenant", "roles"])]
--
hit contains [@, json.patch({"a": 1}, [{"op": "add", "path": "/b", "value": $x}])]
--
hit contains [@, x] if { some k; x := input.token.claims[k]; k != "v" }
--
hit contains [@, input.token.authorization_details[i].v] if i >= 0
--
at@ := data.d.by[input.request.segments[0]]
hit contains @ if at@[input.request.segments[1]]
--
child@(at, segment) := at[segment]
hit contains [@, child@(data.d.by, input.request.segments[0])]
--
child@(at, segment) := at[segment] if { segment != "u" } else := "u"
hit contains [@, child@(child@(data.d.by, input.request.segments[0]), input.request.segments[1])]
--
child@(at, segment) := at[concat("", ["/", segment])] if { segment != "**" } else := at["/*"] if { segment != "" }
hit contains [@, 1] if child@(data.routes, input.request.segments[0])
hit contains [@, 2] if child@(child@(data.routes, input.request.segments[0]), input.request.segments[1])
--
own@(x) if { x != ""; x == input.token.tenant }
hit contains @ if own@(input.request.segments[1])
--
same@(a, b) if a == b
hit contains @ if same@(input.request.segments[0], input.request.segments[1])
hit contains [@, 1] if same@(input.request.segments[0], $s)
--
seg@ contains x if some x in input.request.segments
hit contains @ if seg@["u"]
hit contains [@, count(seg@)]
--
seg@[i] := x if some i, x in input.request.segments
hit contains @ if seg@[0] == seg@[1]
--
seg@[x] := i if some i, x in input.request.segments
hit contains [@, seg@[$s]]
--
here@ := "none" if input.request.segments = []
here@ := x if input.request.segments = [x]
here@ := [x, y] if input.request.segments = [x, y]
hit contains @ if here@ == "u"
hit contains [@, 1] if here@ == ["u", "u"]
hit contains [@, 2] if { [x, y] := here@; x == y }
--
p@ := {"a": {"x": input.request.segments[1]}}
hit contains @ if p@.a.x == "u"
hit contains [@, 1] if p@[input.request.segments[0]].x
--
hit contains @ if { x := input.request.segments[1]; y := {"u": x}; y.u == data.d.mixed.b }
--
hit contains @ if { [a, b] = input.request.segments; data.d.by[a][b] }
--
hit contains @ if { {"s": s, "t": t} = {"s": input.request.segments[0], "t": input.token.tenant}; s == t }
--
hit contains @ if { every x in input.request.segments { x != "u" } }
hit contains [@, 1] if { every x in input.request.segments { data.d.names[x] } }
--
name@ := data.d.names[input.request.segments[0]]
hit contains [@, input.request.headers[name@]]
--
names@ := {"x-a", "q"}
hit contains [@, x] if { some name in names@; x := input.request.headers[name] }
--
names@ contains name if some name, _ in input.request.headers
hit contains [@, count(names@)]
--
header@(name) := input.request.headers[name][0]
hit contains [@, header@("x-a")]
hit contains [@, 1] if header@("x-b") == input.request.segments[0]
--
header@(name) := object.get(input.request.headers, name, ["none"])[0]
hit contains [@, header@("x-a")]
--
hit contains [@, x] if { x := data.named[input.request.segments[0]] }
--
default s@ := "none"
s@ := input.request.segments[0]
t@ := s@ if s@ != "none"
hit contains @ if t@ == data.d.list[_]
hit contains [@, 1] if data.d.by[$s][t@]
`
