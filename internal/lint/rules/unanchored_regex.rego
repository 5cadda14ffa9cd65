package lint

import data.lint.lib

findings contains lib.finding(
	"unanchored-regex", call.place,
	sprintf("the pattern matches a part of %s: begin each alternative with ^ and end it with $", [call.args[1].text]),
) if {
	some call in input.calls["regex.match"]
	pattern := call.args[0].value
	is_string(pattern)
	is_matched_whole(lib.plain(call.args[1]))
	not contains(pattern, "(^")
	some alternative in split(without_groups(pattern), "|")
	not is_anchored(alternative)
	lib.opens(call)
}

is_matched_whole(term) if {
	some place in {
		"input.request.path", "input.request.raw_path", "input.request.host", "input.request.segments", "input.request.method",
		"input.token",
	}
	lib.below(term, place)
}

is_anchored(alternative) if {
	regex.match(`^(\(\?[a-z]+\))?(\^|\\A)`, alternative)
	regex.match(`(\$|\\z|/|\.\*|\.\+)$`, alternative)
}

# without_groups is a pattern without classes, and with "x" for each group.
without_groups(pattern) := without_group(without_group(without_group(regex.replace(regex.replace(pattern, `\\[^A-Za-z]`, "x"), `\[[^\]]*\]`, "x"))))

without_group(pattern) := regex.replace(pattern, `\((\?:|\?P<[a-z]+>)?[^()?][^()]*\)`, "x")
