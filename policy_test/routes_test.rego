package sidecar.routes_test

import data.sidecar.routes

shipped := data.routes

open(id) := {"GET": {"id": id, "anonymous": true}}

tree := {
	"a": {
		"/a": {"GET": {"id": "get", "anonymous": true}, "POST": {"id": "post", "anonymous": true}},
		"/a/{x}": open("one"),
		"/a/b": open("literal"),
		"/a/**": open("rest"),
		"/a/{x}/c": open("c"),
		"/a/b/{y}": open("y"),
		"/a/{x}/{y}/**": open("deep"),
	},
	"*": {"/": open("root"), "/{x}/admin": open("admin"), "/{x}/**": open("any")},
}

found(segments) := taken("GET", segments).id

taken(method, segments) := route if {
	route := routes.route with data.routes as tree
		with input as {"request": {"method": method, "path": path(segments), "segments": segments}}
}

path(segments) := concat("/", array.concat([""], segments)) if {
	count(segments) > 0
} else := "/"

test_found[note] if {
	some note, [segments, id] in {
		"text": [["a"], "get"],
		"root": [[], "root"],
		"parameter": [["a", "1"], "one"],
		"text beats parameter": [["a", "b"], "literal"],
		"rest with an empty segment": [["a", ""], "rest"],
		"parameter and text": [["a", "1", "c"], "c"],
		"text further left wins": [["a", "b", "c"], "y"],
		"longer rest wins": [["a", "1", "2", "3"], "deep"],
		"parameter first": [["x", "admin"], "admin"],
		"group of text before the group of parameters": [["a", "admin"], "one"],
		"rest of anything": [["x", "y", "z"], "any"],
		"stars in a request are text": [["a", "**"], "one"],
		"braces in a request are text": [["a", "{x}"], "one"],
	}
	found(segments) == id
}

test_method if taken("POST", ["a"]).id == "post"

test_head_takes_the_route_of_get if taken("HEAD", ["a"]).id == "get"

test_method_without_route if not taken("DELETE", ["a"])

test_rest_needs_a_segment if not found(["x"])

test_parameters if {
	routes.parameters == {"x": "1", "y": "2"} with data.routes as tree
		with input as {"request": {"method": "GET", "path": "/a/1/2/3", "segments": ["a", "1", "2", "3"]}}
}

test_equal_patterns_take_no_route if {
	not routes.route with data.routes as {"a": {"/a/{x}": open("1"), "/a/{y}": open("2")}}
		with input as {"request": {"method": "GET", "path": "/a/1", "segments": ["a", "1"]}}
}

test_misfiled_pattern_is_never_taken if {
	not routes.route with data.routes as {"b": {"/a": open("1")}}
		with input as {"request": {"method": "GET", "path": "/b", "segments": ["b"]}}
}

complete := {"id": "r", "scopes": ["s"], "audience": ["a"], "tenant": "none"}

test_sound if {
	routes.sound(complete)
	routes.sound(object.union(complete, {"tenant": {"header": "x-tenant"}}))
	routes.sound(object.union(complete, {"tenant": {"path": "t"}}))
	routes.sound(object.union(complete, {"roles": ["r"], "acr_values": ["a"], "max_age": 1}))
}

test_unsound[note] if {
	some note, changed in {
		"no scopes": object.remove(complete, ["scopes"]),
		"no audience": object.remove(complete, ["audience"]),
		"no tenant": object.remove(complete, ["tenant"]),
		"scopes as text": object.union(complete, {"scopes": "s"}),
		"unknown key": object.union(complete, {"role": ["r"]}),
		"half open": object.union(complete, {"anonymous": false}),
		"tenant by nothing": object.union(complete, {"tenant": {}}),
		"tenant by two": object.union(complete, {"tenant": {"path": "t", "header": "h"}}),
		"tenant by a number": object.union(complete, {"tenant": {"path": 1}}),
		"tenant unknown": object.union(complete, {"tenant": "any"}),
	}
	not routes.sound(changed)
}

test_open_says_nothing_else if {
	routes.open({"id": "o", "anonymous": true})
	not routes.open({"id": "o", "anonymous": "true"})
	not routes.open({"id": "o", "anonymous": true, "scopes": ["s"]})
}

test_shipped_routes_have_no_fault if routes.faults == set() with data.routes as shipped

test_faults[note] if {
	some note, [tree, want] in {
		"route": [{"a": {"/a": {"GET": {}}}}, "GET /a: the route is neither anonymous nor complete, or has a key that is not known"],
		"parameter": [
			{"a": {"/a/{x}": {"GET": object.union(complete, {"tenant": {"path": "y"}})}}},
			"GET /a/{x}: there is no parameter {y} in the path",
		],
		"group": [{"b": {"/a": open("1")}}, `/a: the pattern belongs under "a", not under "b"`],
		"parameter in a group": [{"b": {"/{x}": open("1")}}, `/{x}: the pattern belongs under "*", not under "b"`],
		"rest in a group": [{"b": {"/**": open("1")}}, `/**: the pattern belongs under "*", not under "b"`],
		"root in a group": [{"b": {"/": open("1")}}, `/: the pattern belongs under "*", not under "b"`],
		"stars": [{"a": {"/a/**/b": open("1")}}, "/a/**/b: ** stands for a whole segment, the last one"],
		"head": [{"a": {"/a": {"HEAD": {"id": "h", "anonymous": true}}}}, "HEAD /a: HEAD takes the route of GET"],
		"half a parameter": [{"a": {"/a/{x": open("1")}}, "/a/{x: a parameter is a whole segment, {name}, and no slash follows the last one"],
		"lower case": [{"a": {"/a": {"get": {"id": "h", "anonymous": true}}}}, "get /a: methods are written in upper case"],
	}
	routes.faults == {want} with data.routes as tree
}

test_equal_patterns_are_a_fault if {
	routes.faults == {
		"/a/{x}: another pattern matches the same paths",
		"/a/{y}: another pattern matches the same paths",
	} with data.routes as {"a": {"/a/{x}": open("1"), "/a/{y}": open("2")}}
}
