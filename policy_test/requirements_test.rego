package sidecar.routes_test

import data.sidecar.routes

complete := {"id": "r", "scopes": ["s"], "audience": ["a"], "tenant": "none"}

test_sound[note] if {
	some note, more in {
		"four keys": {},
		"tenant in a header": {"tenant": {"header": "x-tenant"}},
		"tenant in the path": {"tenant": {"segment": 0}},
		"all keys": {"roles": ["r"], "acr_values": ["a"], "max_age": 1},
	}
	routes.sound(object.union(complete, more))
}

test_unsound[note] if {
	some note, changed in {
		"no id": object.remove(complete, ["id"]),
		"no scopes": object.remove(complete, ["scopes"]),
		"no audience": object.remove(complete, ["audience"]),
		"no tenant": object.remove(complete, ["tenant"]),
		"id as a number": object.union(complete, {"id": 1}),
		"scopes as text": object.union(complete, {"scopes": "s"}),
		"scopes as numbers": object.union(complete, {"scopes": [1]}),
		"audience as text": object.union(complete, {"audience": "a"}),
		"audience as object": object.union(complete, {"audience": {"a": "a"}}),
		"roles as text": object.union(complete, {"roles": "r"}),
		"acr_values as text": object.union(complete, {"acr_values": "mfa"}),
		"max_age as text": object.union(complete, {"max_age": "300"}),
		"max_age of less than nothing": object.union(complete, {"max_age": -1}),
		"max_age of half a second": object.union(complete, {"max_age": 0.5}),
		"max_age of ages": object.union(complete, {"max_age": 1e18}),
		"unknown key": object.union(complete, {"role": ["r"]}),
		"half open": object.union(complete, {"anonymous": false}),
		"open and protected": object.union(complete, {"anonymous": true}),
		"tenant by nothing": object.union(complete, {"tenant": {}}),
		"tenant by two": object.union(complete, {"tenant": {"segment": 1, "header": "h"}}),
		"tenant by a negative segment": object.union(complete, {"tenant": {"segment": -1}}),
		"tenant by half a segment": object.union(complete, {"tenant": {"segment": 0.5}}),
		"tenant by the name of a segment": object.union(complete, {"tenant": {"segment": "t"}}),
		"tenant by a header that is a number": object.union(complete, {"tenant": {"header": 1}}),
		"tenant by a former key": object.union(complete, {"tenant": {"path": "tenant"}}),
		"tenant unknown": object.union(complete, {"tenant": "any"}),
		"nothing": null,
		"a text": "abcd",
		"an array": [1, 2, 3, 4],
	}
	not routes.sound(changed)
	not routes.open(changed)
}

test_open_says_nothing_else if {
	routes.open({"id": "o", "anonymous": true})
	not routes.open({"id": "o", "anonymous": "true"})
	not routes.open({"id": "o", "anonymous": false})
	not routes.open({"id": "o", "anonymous": true, "scopes": ["s"]})
	not routes.open({"id": "o"})
}

test_shipped_routes_have_no_fault if routes.faults == set() with data.routes as shipped

test_every_form_of_a_route_has_no_fault if {
	routes.faults == set() with data.routes as {
		"GET": open("root"),
		"/*": {"PUT": complete, "/v1.0 é-~@:": here("text"), "/": here("slash")},
		"/a": {"/*": {"/**": {"DELETE": object.union(complete, {"tenant": {"segment": 2}})}}},
		"/1": {"/2": {"/3": {"/4": {"/5": {"/6": {"/7": {"/8": {"GET": open("eight"), "/**": here("rest")}}}}}}}},
	}
}

test_faults[note] if {
	some note, [grown, want] in {
		"a route without anything": [
			{"/a": {"GET": {}}},
			incomplete("/a GET", "audience is missing, id is missing, scopes is missing, tenant is missing"),
		],
		"a route that is nothing": [
			{"/a": {"/*": {"GET": null}}},
			incomplete("/a/* GET", "it is an object, with these keys"),
		],
		"a route at the top": [
			{"GET": object.union(complete, {"scope": []})},
			incomplete("GET", "scope is no key of a route (scopes?)"),
		],
		"a key that is longer than the one meant": [
			{"GET": object.union(complete, {"audiences": []})},
			incomplete("GET", "audiences is no key of a route (audience?)"),
		],
		"a key that is like none": [
			{"GET": object.union(complete, {"x": []})},
			incomplete("GET", "x is no key of a route"),
		],
		"an anonymous route that asks for scopes": [
			{"GET": {"id": "a", "anonymous": true, "scopes": []}},
			incomplete("GET", "it is anonymous, and scopes asks for a token"),
		],
		"values of other types": [
			{"GET": {
				"id": 1, "scopes": "s", "audience": [1], "tenant": "any", "roles": {}, "max_age": "300",
				"acr_values": ["mfa"], "anonymous": false,
			}},
			incomplete("GET", concat(", ", [
				"anonymous must be true, or be left out", "audience must be an array of texts", "id must be a text",
				"max_age must be a number of whole seconds from 0", "roles must be an array of texts",
				"scopes must be an array of texts",
				"tenant must be none, {header: name} or {segment: number}",
			])),
		],
		"a header in upper case": [
			{"/a": {"GET": object.union(complete, {"tenant": {"header": "X-Tenant"}})}},
			"/a GET: a header is written in lower case",
		],
		"a segment behind the end": [
			{"/a": {"/*": {"GET": object.union(complete, {"tenant": {"segment": 2}})}}},
			"/a/* GET: the path has no segment 2",
		],
		"a segment of the root": [
			{"GET": object.union(complete, {"tenant": {"segment": 0}})},
			"GET: the path has no segment 0",
		],
		"lower case": [{"/a": {"get": open("a")}}, stray("/a get")],
		"HEAD": [{"/a": {"HEAD": open("a")}}, stray("/a HEAD")],
		"a segment without its slash": [{"a": here("a")}, stray("a")],
		"a segment with nothing": [{"/a": {}}, "/a: nothing is below the segment"],
		"a segment with null": [{"/a": null}, "/a: nothing is below the segment"],
		"a segment with an array": [{"/a": [here("a")]}, "/a: nothing is below the segment"],
		"nine segments": [
			{"/1": {"/2": {"/3": {"/4": {"/5": {"/6": {"/7": {"/8": {"/*": here("nine")}}}}}}}}},
			"/1/2/3/4/5/6/7/8/*: a route is at most 8 segments deep, and a /** below them",
		],
		"below a rest": [{"/a": {"/**": {"/b": here("b")}}}, "/a/**/b: nothing follows the end of a path"],
		"below an empty segment": [{"/a": {"/": {"/b": here("b")}}}, "/a//b: nothing follows the end of a path"],
		"two segments in one": [{"/a/b": here("b")}, "/a/b: a segment is a text without slash, star and brace, or * or **"],
		"a star in a text": [{"/a*": here("a")}, "/a*: a segment is a text without slash, star and brace, or * or **"],
		"three stars": [{"/***": here("a")}, "/***: a segment is a text without slash, star and brace, or * or **"],
		"a parameter with a name": [
			{"/a": {"/{id}": here("a")}},
			"/a/{id}: a segment is a text without slash, star and brace, or * or **",
		],
		"the root as a segment": [{"/": here("root")}, `/: what "/" itself asks for is at the top, beside the segments`],
	}
	routes.faults == {want} with data.routes as grown
}

incomplete(place, why) := sprintf("%s: the route is neither anonymous nor complete: %s", [place, why])

stray(place) := concat("", [
	place,
	": neither a method, in upper case, nor a segment, which begins with a slash; HEAD is asked as GET",
])

test_all_faults_are_told_at_once if count(routes.faults) == 3 with data.routes as {"/a": {}, "get": {}, "/b": {"GET": {}}}

test_problems_have_their_place if {
	routes.problems == {
		{"message": "/a get: neither a method, in upper case, nor a segment, which begins with a slash; HEAD is asked as GET", "at": ["routes", "/a", "get"]},
		{"message": `what "/" itself asks for is at the top, beside the segments`, "at": ["routes", "/"]},
	} with data.routes as {"/a": {"get": {}, "GET": {"anonymous": true}}, "/": {"GET": {"anonymous": true}}}
}
