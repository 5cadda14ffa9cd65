package sidecar.routes

# METADATA
# title: Open
# description: The route asks for nothing, and says nothing else.
open(requirements) if {
	requirements.anonymous == true
	object.remove(requirements, ["id", "anonymous"]) == {}
}

# METADATA
# title: Sound
# description: The route has what every protected route needs, and nothing that nobody would read.
sound(requirements) if {
	object.remove(requirements, ["id", "scopes", "audience", "tenant", "roles", "acr_values", "max_age"]) == {}
	is_array(requirements.scopes)
	is_array(requirements.audience)
	is_tenant_rule(requirements.tenant)
}

is_tenant_rule("none")

is_tenant_rule({"header": name}) if is_string(name)

is_tenant_rule({"path": name}) if is_string(name)

# METADATA
# title: Faults
# description: What is wrong with data.routes, for tests. A route with a fault refuses, or is never found.
faults contains sprintf("%s %s: the route is neither anonymous nor complete, or has a key that is not known", [verb, where]) if {
	some group, where, verb
	requirements := data.routes[group][where][verb]
	not open(requirements)
	not sound(requirements)
}

faults contains sprintf("%s %s: there is no parameter {%s} in the path", [verb, where, name]) if {
	some group, where, verb
	name := data.routes[group][where][verb].tenant.path
	not contains(where, concat("", ["/{", name, "}"]))
}

faults contains sprintf("%s: the pattern belongs under %q, not under %q", [where, home(where), group]) if {
	some group, where
	data.routes[group][where]
	group != home(where)
}

faults contains sprintf("%s: ** stands for a whole segment, the last one", [where]) if {
	some group, where
	data.routes[group][where]
	contains(trim_suffix(where, "/**"), "*")
}

faults contains sprintf("%s: a parameter is a whole segment, {name}, and no slash follows the last one", [where]) if {
	some where
	data.routes[_][where]
	contains(where, "{")
	not regex.match(`^(/[^/{}]+|/\{[^/{}]+\})+$`, where)
}

faults contains sprintf("%s %s: %s", [verb, where, complaint]) if {
	some group, where, verb
	data.routes[group][where][verb]
	complaint := verb_complaint(verb)
}

faults contains sprintf("%s: another pattern matches the same paths", [where]) if {
	some group, where
	some other, _ in data.routes[group]
	other != where
	shape(other) == shape(where)
	data.routes[group][where]
}

verb_complaint("HEAD") := "HEAD takes the route of GET"

verb_complaint(verb) := "methods are written in upper case" if upper(verb) != verb

# home is the group where a pattern is looked for.
home(where) := "*" if {
	regex.match(`^/($|\{|\*\*$)`, where)
} else := split(where, "/")[1]

# shape is a pattern without the names of its parameters.
shape(where) := regex.replace(where, `\{[^/]*\}`, "{}")
