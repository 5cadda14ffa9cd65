package engine

// indexShapes are what a rule index of OPA goes by, most of them look-ups of a value that may be a number.
const indexShapes = `
x := $x; data.d.names[x]; x == $c
x := input.context.v; x == 1; data.d.names[x]
data.d.names[input.context.v]; input.context.v == 1
data.d.names[$x]; $x != "a"
data.d.names[input.context.v]; input.context.v == 1
x := input.context.v; y := x; data.d.names[y]; y == 1
x := $x; data.d.names[x]; x in [1, "1"]
some x in [1, "1", "a"]; x == $x; data.d.names[x]
x := input.context; data.d.names[x.v]; x.v == 1
x := input.context; y := x.v; data.d.names[y]; y == 1
some k in ["v", "w"]; data.d.names[input.context[k]]
data.d.mixed[$x] == 1
data.d.mixed[$x]
data.d.list[$x]
data.d.list[$x] == $c
data.d.by[$x].a
data.d.by.GET[$x] == 1
data.d.by.b[$x]; input.context.v == 1
n := "names"; data.d[n][$x]; input.context.v == 1
not data.d.names[$x]
not data.d.mixed[$x]; $x == 0
data.d.mixed[$x]; not data.d.names[$x]
$x == 1; $x == 1.0
$x in {1, "1"}
1 in $x
$x = [1]
$x == {"a": 1}
$x[_] == 1
$x[0] == "a"
$x.a == 1
some y in $x; y == 1
startswith($x, "a"); $x == "a"
startswith($s, "a"); data.d.names[$s]
glob.match("a*", ["/"], $s); data.d.names[$s]
endswith($s, "b"); $x == 1
strings.any_prefix_match($s, ["a", "b"]); data.d.mixed[$x]
data.d.set[_] == $x
data.d.names[_] == $x
data.d.nested[$s].b; data.d.mixed[$x]
x := lower($s); x in $l; x == $c
x := lower($s); x in $l; x in ["a", "get"]
x := lower($s); x in $l; data.d.names[x]
x := $x; x in [1, "1", "a"]; x in $x; x == $c
some x in $l; x in $l; x == "a"
some x in data.d.set; x in $x; x == $c
some x in $x; x in $x; x.a == 1
some x in data.d.list; x in $x; startswith(x, "a")
x := $x; $c in x; x == [1]
`

// indexRuleShapes are such rules, with functions, sets and objects.
const indexRuleShapes = `f@(x) if { data.d.names[x]; x == 1 }
f@(x) if { data.d.mixed[x]; x != 1 }
hit contains @ if f@($x)
--
f@(x) := 1 if { data.d.names[x] } else := 2 if { x == 1 } else := 3
hit contains [@, f@($x)]
--
r@ contains 1 if { x := input.context.v; data.d.names[x]; x == 1 }
r@ contains 2 if { x := $x; data.d.mixed[x]; x == 0 }
r@ contains 3 if { $x == "a" }
r@ contains 4 if { $x == 1 }
hit contains [@, r@]
--
r@[k] := x if { k := $s; x := input.context.v; data.d.names[x]; x == 1 }
hit contains [@, r@]
--
f@([x]) if { data.d.names[x]; x != "a" }
hit contains @ if f@([$x])
--
f@({"a": x}) if { data.d.names[x]; x != "a" }
hit contains @ if f@({"a": $x})
--
f@(x, y) if { data.d.names[x]; data.d.mixed[y]; x == y }
hit contains @ if f@($x, $x)
--
f@(1) := "one"
f@("1") := "text"
f@(x) := "other" if not x in {1, "1"}
hit contains [@, f@($x)]
--
f@(x) := "a" if { y := x.a; data.d.names[y]; y == 1 }
hit contains [@, f@($x)]
--
r@ contains 1 if { data.d.names[x]; x == $x }
r@ contains 2 if { some x; data.d.mixed[x] == $x }
hit contains [@, r@]
--
r@ contains 1 if { x := input.context.v; data.d.names[x] with input.context.v as 1; x == 1 }
hit contains [@, r@]
--
r@ contains 1 if { x := input.context.v; data.d.names[x]; x == 1 }
hit contains [@, x] if x := r@ with input.context as {"v": $x, "w": 1}
hit contains [@, x] if x := r@ with data.d.names as {"1": $x}
hit contains [@, x] if x := r@ with data.d.names as $x
`
