# METADATA
# title: Routes
# description: |
#   Finds the one route of data.routes that a request takes. policies/routes/data.yaml tells what routes look like.
#   This runs for every request: a path that is a pattern itself is only looked up, and patterns with parameters are
#   gone through only in the group of the path's first segment.
package sidecar.routes

# METADATA
# title: Route
# description: What the route asks for. Undefined when there is none, or when several match equally well.
route := found if {
	found := data.routes[input.request.segments[0]][input.request.path][method]
	is_text
} else := data.routes[input.request.segments[0]][only][method] if {
	[only] = own
} else := data.routes[place.group][pattern][method]

# METADATA
# title: Pattern
# description: The most specific pattern that matches.
pattern := only if {
	[only] = place.patterns
} else := best if {
	top := max({rank(candidate) | some candidate in place.patterns})
	[best] = [candidate | some candidate in place.patterns; rank(candidate) == top]
}

# METADATA
# title: Place
# description: Where patterns match. Text is more specific than parameters, and those than a rest; so is a group than "*".
place := {"group": input.request.segments[0], "patterns": [input.request.path]} if {
	data.routes[input.request.segments[0]][input.request.path][method]
	is_text
} else := {"group": input.request.segments[0], "patterns": own} if {
	count(own) > 0
} else := {"group": input.request.segments[0], "patterns": trunks(input.request.segments[0])} if {
	count(trunks(input.request.segments[0])) > 0
} else := {"group": "*", "patterns": [input.request.path]} if {
	data.routes["*"][input.request.path][method]
	is_text
} else := {"group": "*", "patterns": fitting("*")} if {
	count(fitting("*")) > 0
} else := {"group": "*", "patterns": trunks("*")}

# METADATA
# title: Parameters
# description: The segments that the parameters of the pattern stand for, by name.
parameters[name] := input.request.segments[i - 1] if {
	some i, part in split(pattern, "/")
	startswith(part, "{")
	name := trim(part, "{}")
}

own := fitting(input.request.segments[0])

# fitting are the patterns with parameters that match. An empty segment, which only the last one can be, fits none.
fitting(group) := [candidate |
	length := count(input.request.segments)
	some candidate
	data.routes[group][candidate][method]
	strings.count(candidate, "/") == length
	contains(candidate, "{")
	wanted := split(candidate, "/")
	not differs(wanted)
	not endswith(input.request.path, "/")
]

# trunks are the patterns for a rest that match.
trunks(group) := [candidate |
	some candidate
	data.routes[group][candidate][method]
	endswith(candidate, "/**")
	wanted := split(candidate, "/")
	count(wanted) <= count(input.request.segments) + 1
	not differs(array.slice(wanted, 0, count(wanted) - 1))
]

differs(wanted) if {
	some i, part in input.request.segments
	part != wanted[i + 1]
	not startswith(wanted[i + 1], "{")
}

# A path is only looked up when it cannot be mistaken for a pattern.
is_text if {
	not contains(input.request.path, "{")
	not contains(input.request.path, "*")
}

method := "GET" if {
	input.request.method == "HEAD"
} else := input.request.method

# rank orders patterns by how specific they are: arrays are compared from left to right.
rank(candidate) := [weight(part) | some part in split(candidate, "/")]

weight("**") := 0

weight(part) := 1 if startswith(part, "{")

weight(part) := 2 if {
	part != "**"
	not startswith(part, "{")
}
