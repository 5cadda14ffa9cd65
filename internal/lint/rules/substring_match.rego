package lint

import data.lint.lib

findings contains lib.finding(
	"substring-match", call.place,
	sprintf("%q anywhere in %s is enough, in a longer name too: compare whole elements with in or ==", [
		call.args[1].value, searched.text,
	]),
) if {
	some call in input.calls.contains
	is_string(call.args[1].value)
	searched := lib.plain(call.args[0])
	is_whole(searched)
	lib.opens(call)
}

is_whole(term) if term.ref in {"input.request.path", "input.request.raw_path", "input.request.host"}

is_whole(term) if lib.below(term, "input.token")

is_whole(term) if {
	term.name == "concat"
	lib.below(term.items[1], "input.token")
}
