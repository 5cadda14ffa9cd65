package lint

import data.lint.lib

findings contains lib.finding(
	"untyped-input", call.place,
	"walk over the input reaches members that no type checks, and those of later versions: name the members",
) if {
	lib.policy
	some call in input.calls.walk
	call.args[0].ref in {"input", "input.request", "input.token"}
}

findings contains lib.finding(
	"untyped-input", ref.place,
	"a member of the input is chosen by a variable, and a misspelt name goes unseen: name the member",
) if {
	lib.policy
	some ref in lib.refs
	ref.written
	count(ref.path) >= 2
	ref.path[0] == "input"
	"_" in array.slice(ref.path, 1, min([3, count(ref.path)]))
	ref.path[1] in {"_", "request", "token"}
}
