package lint

import data.lint.lib

findings contains lib.finding(
	"path-prefix-without-boundary", call.place,
	sprintf("the prefix %q fits %sx too: compare with %s and with the prefix %q", [prefix, prefix, prefix, concat("", [prefix, "/"])]),
) if {
	some call in input.calls.startswith
	lib.plain(call.args[0]).ref in {"input.request.path", "input.request.raw_path"}
	prefix := call.args[1].value
	has_no_boundary(prefix)
	lib.opens(call)
}

findings contains lib.finding(
	"path-prefix-without-boundary", call.place,
	sprintf("the prefix %q fits %sx too: end it in a slash", [prefix, prefix]),
) if {
	some call in input.calls["strings.any_prefix_match"]
	lib.plain(call.args[0]).ref in {"input.request.path", "input.request.raw_path"}
	some prefix in call.args[1].value
	has_no_boundary(prefix)
	lib.opens(call)
}

has_no_boundary(prefix) if {
	is_string(prefix)
	count(prefix) > 1
	not endswith(prefix, "/")
}
