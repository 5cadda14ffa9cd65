package sidecar.routes_test

import data.sidecar.routes

shipped := data.routes

open(id) := {"id": id, "anonymous": true}

here(id) := {"GET": open(id)}

tree := {
	"GET": open("root"),
	"/a": {
		"GET": open("a"),
		"POST": open("post"),
		"/": here("slash"),
		"/b": {"GET": open("named"), "/y": here("y")},
		"/*": {"GET": open("one"), "/c": here("c"), "/*": {"/**": here("deep")}},
		"/**": here("rest"),
	},
	"/p": {"/*": {"GET": open("member"), "/q": here("q")}, "/named": {"POST": open("write")}},
	"/only": {"/**": {"POST": open("only")}, "/x": {"/y": here("xy")}},
	"/1": {"/2": {"/3": {"/4": {"/5": {"/6": {"/7": {"/8": {"GET": open("eight"), "/9": here("nine"), "/**": here("below eight")}}}}}}}},
	"/7": {"/*": {"/*": {"/*": {"/*": {"/*": {"/*": {"/**": here("below seven")}}}}}}},
	"/m": {"GET": open("m"), "/GET": here("segment GET"), "/tenant": here("segment tenant")},
}

found(segments) := taken("GET", segments).id

taken(method, segments) := taken_of(tree, method, segments)

taken_of(grown, method, segments) := route if {
	route := routes.route with data.routes as grown with input as {"request": {"method": method, "segments": segments}}
}

test_found[note] if {
	some note, [segments, id] in {
		"the root": [[], "root"],
		"a node that has children too": [["a"], "a"],
		"any segment": [["a", "1"], "one"],
		"a named segment before any": [["a", "b"], "named"],
		"below a named segment": [["a", "b", "y"], "y"],
		"below any segment": [["a", "1", "c"], "c"],
		"the end in a slash, which the tree names": [["a", ""], "slash"],
		"the end in a slash, below a rest": [["a", "1", ""], "rest"],
		"a rest": [["a", "1", "2"], "rest"],
		"a rest where a named segment led nowhere": [["a", "b", "z"], "rest"],
		"the deepest rest": [["a", "1", "2", "3"], "deep"],
		"a request for *": [["a", "*"], "one"],
		"a request for **": [["a", "**"], "one"],
		"a request for ** below a rest": [["a", "b", "**"], "rest"],
		"eight segments": [["1", "2", "3", "4", "5", "6", "7", "8"], "eight"],
		"nine segments with a rest below eight": [["1", "2", "3", "4", "5", "6", "7", "8", "9"], "below eight"],
		"many segments with a rest below seven": [["7", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"], "below seven"],
		"many segments with a rest far above": [["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"], "rest"],
		"a segment that is a method": [["m", "GET"], "segment GET"],
		"a segment that is a key of routes": [["m", "tenant"], "segment tenant"],
		"a slash within a segment is part of it": [["a", "b/y"], "one"],
		"a slash and a star within a segment": [["a", "/*"], "one"],
		"a slash and two stars within a segment": [["a", "/**"], "one"],
	}
	found(segments) == id
}

test_not_found[note] if {
	some note, segments in {
		"no such segment": ["z"],
		"no method at the node": ["1"],
		"a slash alone": ["m", ""],
		"a method of a route as a segment": ["a", "b", "GET"],
		"a key of a route as a segment": ["only", "x", "y", "GET", "id"],
		"the rest has no such method": ["only", "1"],
		"a slash within a segment is no way to the next one": ["1/2"],
		"a slash before the segment": ["/a"],
	}
	not without_rest(segments)
}

# without_rest looks where no rest of "/a" helps.
without_rest(segments) := taken_of(json.remove(tree, ["~1a/~1**"]), "GET", segments).id

test_a_rest_is_one_segment_or_more if {
	taken("POST", ["only", "1"]).id == "only"
	taken("POST", ["only", "1", ""]).id == "only"
	not taken("POST", ["only"])
	not taken("POST", ["only", ""])
}

test_any_segment_is_not_tried_once_a_named_one_was_taken if {
	found(["p", "x", "q"]) == "q"
	not found(["p", "named", "q"])
	not found(["p", "named"])
}

test_the_deepest_rest_decides_even_without_the_method if {
	grown := {"/**": here("top"), "/a": {"/**": {"POST": open("deep")}}}
	taken_of(grown, "GET", ["b"]).id == "top"
	taken_of(grown, "POST", ["a", "b"]).id == "deep"
	not taken_of(grown, "GET", ["a", "b"])
}

test_a_rest_below_each_depth[n] if {
	some n, grown in [
		{"/**": here("rest")},
		{"/*": {"/**": here("rest")}},
		{"/*": {"/*": {"/**": here("rest")}}},
		{"/*": {"/*": {"/*": {"/**": here("rest")}}}},
		{"/*": {"/*": {"/*": {"/*": {"/**": here("rest")}}}}},
		{"/*": {"/*": {"/*": {"/*": {"/*": {"/**": here("rest")}}}}}},
		{"/*": {"/*": {"/*": {"/*": {"/*": {"/*": {"/**": here("rest")}}}}}}},
		{"/*": {"/*": {"/*": {"/*": {"/*": {"/*": {"/*": {"/**": here("rest")}}}}}}}},
		{"/*": {"/*": {"/*": {"/*": {"/*": {"/*": {"/*": {"/*": {"/**": here("rest")}}}}}}}}},
	]
	segments := ["s" | some _ in numbers.range(0, n)]
	taken_of(grown, "GET", segments).id == "rest"
	taken_of(grown, "GET", array.concat(segments, ["s", "s"])).id == "rest"
	not taken_of(grown, "GET", array.slice(segments, 0, n))
}

test_a_route_at_each_depth[n] if {
	some n in numbers.range(0, 8)
	found_at := ["1", "2", "3", "4", "5", "6", "7", "8"]
	grown := json.patch(tree, [{"op": "add", "path": pointer(n), "value": open(sprintf("%d", [n]))}])
	taken_of(grown, "GET", array.slice(found_at, 0, n)).id == sprintf("%d", [n])
}

pointer(n) := concat("", array.concat([sprintf("/~1%d", [i]) | some i in numbers.range(1, n); n > 0], ["/GET"]))

test_deeper_than_eight_segments_only_a_rest_is_found if {
	not taken_of(json.remove(tree, ["~11/~12/~13/~14/~15/~16/~17/~18/~1**"]), "GET", ["1", "2", "3", "4", "5", "6", "7", "8", "9"])
}

test_method if taken("POST", ["a"]).id == "post"

test_head_takes_the_route_of_get if {
	taken("HEAD", ["a"]).id == "a"
	taken("HEAD", []).id == "root"
	taken("HEAD", ["a", "1", "2"]).id == "rest"
}

test_a_key_HEAD_is_never_read if not taken_of({"/a": {"HEAD": open("head")}}, "HEAD", ["a"])

test_method_without_route if not taken("DELETE", ["a"])

test_no_tree_no_route if {
	not routes.exists with data.routes as {} with input as {"request": {"method": "GET", "segments": ["a"]}}
}

test_nodes_that_are_no_objects_have_no_route[note] if {
	some note, node in {"null": null, "text": "GET", "array": [open("a")], "number": 1, "false": false}
	not taken_of({"/a": node}, "GET", ["a"])
	not taken_of({"/a": node}, "GET", ["a", "b"])
}
