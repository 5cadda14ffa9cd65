package engine

// leaves are the forms of each kind that a program comes to where it may use no more of grammar.
var leaves = map[byte][]string{
	't': forms(`
input.request.segments[data.t.at]
input.request.segments[data.t.at]
input.request.segments[data.t.at]
input.request.segments[_]
input.request.segments[_]
input.request.segments[0]
input.request.segments[count(input.request.segments) - 1]
input.token.tenant
input.token.tenant
input.token.subject.id
input.context.id
input.request.path
input.token.scopes[_]
input.request.headers["x-own"][0]
data.t.names[_]
data.t.names[_]
data.t.list[0]
"orders"
"x-own"
`),
	's': forms(`
input.request.segments[data.t.at]
input.request.segments[data.t.at]
input.request.segments[data.t.at]
input.request.segments[_]
input.request.segments[0]
`),
	'l': forms(`
input.request.segments
input.request.segments
input.request.segments
array.slice(input.request.segments, 0, 1)
input.token.scopes
data.t.names
["orders", "b"]
`),
	'o': forms(`
input.token
input.context
input.request.headers
input.request.query
data.t.map
data.t.by
data.parts
{"a": 1}
`),
	'k': forms(`
--
k@
&k@ := $t if { $b }
--
k@
default k@ := "none"
&k@ := $t if { $b }
--
k@
&k@ := $t if { $b } else := $t if { $b }
--
k@
&k@ := $t if { $c }
&k@ := x@ if { x@ := $t!x; $c }
--
k@.a
&k@ := {"a": $t, "b": $t} if { $b }
--
k@[_]
&k@ := [$t, $t] if { $b }
--
f@($t)
f@(x@) := k@!x if { $c }
&k@ := $t if { $b }
--
[x@ | x@ := k@ with input.request.segments as [$t, $t] with input.token.tenant as $t][0]
&k@ := $t if { $b }
`),
	'h': forms(`
--
k@
&k@ if { $b }
--
not k@
&k@ if { $b }
--
k@ == $t
&k@ := $t if { $b }
--
$t in k@
&k@ := [x@ | some x@ in $l!x; $c]
--
count(k@) == 1
&k@ := $l if { $b }
--
x@ := k@!x; $c
&k@ := $t if { $b }
--
k@ with input.request.segments as [$t, $t]
&k@ if { $b }
--
k@ with input.token.tenant as $t
&k@ if { $b }
`),
	'c': forms(`
$t == $t
$t == $t
$t != $t
$t in $l
data.t.map[$t]
data.t.by[$t][$t]
input.request.headers[$t]
count($l) == 1
`),
}

// grammar are the forms of each kind that have others in them, or rules.
var grammar = map[byte][]string{
	't': forms(`
concat("", ["/", $t])
concat("", ["/", $t])
concat("", [$t, $t])
concat("/", $l)
lower($t)
upper($t)
sprintf("%v", [$t])
trim_prefix($t, "/")
replace($t, "u", "v")
split($t, "/")[0]
min($l)
sort($l)[0]
[$t, $t][_]
{"a": $t, "b": $t}[_]
{"a": [$t, $t]}.a[_]
data.t.map[$t]
object.get($o, $t, $t)
object.get($o, ["a", $t], $t)
[x@ | some x@ in $l][0]
[x@ | x@ := $t!x; $c][0]~
cast_string($t)
--
f@($t)
f@(x@)!x := $t if { $c }
--
f@($t)
f@(x@)!x := x@ if { $b }
f@(x@)!x := $t if { $b }
--
f@(1)
f@(_) := $t
f@(_) := $t
--
f@($t)
f@(x@)!x := x@ if { $b } else := $t
--
f@($t, $t)
f@(x@, y@)!x!y := $t if { $b } else := y@ if { $b } else := "none"
--
f@($t)
default f@(_) := "none"
f@(x@)!x := $t if { $c }
--
f@($t)
f@(x@) := g@(x@, $t)
g@(x@, y@)!x!y := $t
--
f@([$t, $t])
f@([x@, y@])!x!y := $t if { $c }
--
r@
r@ := $t if { $c }
r@ := $t if { $c }
--
r@
r@ := $t if { $c } else := $t
--
r@
default r@ := "none"
r@ := $t if { $b }
--
r@
r@ := x@ if { some x@ in $l!x; $c }
--
r@.a
r@ := {"a": $t, "b": $t}
--
p@[$t]
p@[$t] := $t if { $c }
--
p@[_]
p@ contains x@ if { x@ := $t!x; $c }
--
p@.a[$t]
p@.a[$t] := $t
p@.b := $t
`),
	'l': forms(`
[$t, $t]
[$t, $t]
{$t, $t}
[x@ | some x@ in $l!x; $c]
{x@ | some x@ in $l!x; $c}
array.concat($l, $l)
array.reverse($l)
sort($l)
split($t, "/")
({$t} | {$t})
({$t, $t} & {$t, $t})
union({{$t}, {$t}})
intersection({{$t, "b"}, {$t, "b"}})
object.keys($o)
--
f@($l)
f@(x@) := array.slice(x@, 0, 2)
--
p@
p@ contains $t if { $c }
p@ contains $t
`),
	'o': forms(`
{"a": $t, "b": $t}
{"a": $t, "b": $t}
{$t: $t}
{"a": {"b": $t}}
{x@: $t | some x@ in $l!x}
{i@: x@ | some i@, x@ in $l}
object.union($o, $o)
object.remove($o, [$t])
object.filter($o, $l)
--
p@
p@[$t] := $t if { $c }
`),
	'c': forms(`
not $t == $t
not $t in $l
not data.t.map[$t]
$t = $t
$t < $t
$l == $l
$o == $o
[$t, $t] == [$t, $t]
x@ := $t!x; $c
x@ := $t!x; $c
x@ = $t!x; $c
some x@ in $l!x; $c
some x@, y@ in $o!x!y; $c
[x@, x@] = [$t, $t]
[x@, x@] = $l
[x@, y@] = $l!x!y; $c
[x@, y@] = [$t, $t]!x!y; $c
[$t, x@] = $l!x; $c
{"a": x@, "b": y@} = {"a": $t, "b": $t}!x!y; $c
{"a": x@, "b": x@} = {"a": $t, "b": $t}
{"a": x@} = $o!x; $c
every x@ in $l {!x $b }~
every x@, y@ in $o {!x!y $b }~
data.t.map[$t] == $t
data.parts[$t]
some x@; data.parts[x@]!x; $c
input.token[$t]
input.context[$t]
input.request.headers[$t][_] == $t
input.request.query[$t]
some x@; input.request.headers[x@]!x; $c
some x@; input.context[x@]!x; $c
some x@; input.request.query[x@]!x; $c
$t == $s
lower($t) == $s
concat("", ["/", $t]) == $s
x@ := {$s, $s}; [y@ | some y@ in x@] == [$s, $s]
x@ := {$s, $t}; y@ := [z@ | some z@ in x@]; y@[0] == $s
x@ := {$s: 1, $s: 2}; y@ := [z@ | some z@, _ in x@]; y@[0] == $s
x@ := {$s: 1, $s: 2}; y@ := [z@ | some z@ in x@]; y@ == [1, 2]
x@ := $l; y@ := x@[_]!y; $c
x@ := $l; y@ := x@[0]!y; $c
x@ := $o; y@ := x@[$s]!y; $c
x@ := [$s, $t]; every y@ in x@ {!y $b }~
x@ := [$t, $s]; y@ := x@[_]!y; $c
x@ := [$t, $s]; concat("", ["/", x@[_]]) == concat("", ["/", $t])
x@ := {"a": $t, "b": $s}; y@ := x@[_]!y; $c
sort([$s, $t])[0] == $s
object.get($o, $s, 1) != 1
object.get($o, [$s], 1) != 1
object.get({"a": $t}, "a", 1) == $s
concat("", ["/", $t]) == concat("", ["/", $s])
concat("", [$t, $t]) == concat("", [$t, $s])
concat("", ["/", $s]) == $t
data.t.map[concat("", ["/", $s])]
data.t.by[$s][$s]
some x@; input.request.headers[x@]!x; to_number(x@) > 0; x@ = $t
some x@; input.token[x@]!x; $c
some x@; data.t.map[x@]!x; $c
some x@; data.t.map[x@] == $t!x; $c
$t in object.keys($o)
count({x@ | some x@ in $l}) == 1
count([1 | $b]) == 1
count([1 | $b]) == 1
count($t) == 1
startswith($t, "u")
glob.match("u*", [], $t)
regex.match("^u", $t)
to_number($t) == 1
is_string($t)
walk($l, [_, $t])
walk($o, [x@, $t])
object.get($o, $t, "none") == $t
[i@ | some i@, x@ in $l!x; $c] == [0]
--
f@(1)
f@(_) := $t
f@(_) := $t
--
f@($t, $t)
f@(x@, x@) if true
--
f@([$t, $t])
f@([x@, x@]) if true
--
f@($t, [$t, 1])
f@(x@, [x@, _]) if true
--
f@({"a": $t, "b": $t})
f@({"a": x@, "b": x@}) if true
--
f@($l)
f@([x@, y@])!x!y if { $c }
f@([x@])!x if { $c }
--
f@($t, $t)
f@(x@, y@)!x!y if { $b }
--
f@($t)
f@("orders") if { $c }
f@(x@)!x if { $c }
--
f@($t)
f@(x@)!x if input.request.headers[$t]
--
r@
r@ if { $b }
--
not r@
r@ if { $b }
--
x@ := [y@ | some y@ in p@]; x@[0] == $s
p@ contains $s if { $c }
p@ contains $s
--
x@ := [y@ | some y@, _ in p@]; x@[0] == $s
p@[$s] := 1
p@[$s] := 1
--
p@[$t]
p@ contains x@ if { some x@ in $l!x; $c }
--
some x@; p@[x@]!x; $c
p@ contains $t if { $c }
p@ contains $t
--
p@[[x@, $t]]!x; $c
p@ contains [$t, $t] if { $c }
--
r@ with input.request.path as $t
r@ if { $c }
`),
}

// decisions are the forms of the rule that a program is asked for.
var decisions = forms(`
decision if { $b }
decision if { $b }
decision := count([1 | $b])
decision contains 1 if { $b }
decision := 1 if { $b } else := 2 if { $b }
decision := $t if { $b }
decision if { $h; $b }
decision := $k if { $c }
decision := 1 if { $h; $c } else := 2 if { $h } else := $k
`)
