package lint

import data.lint.lib

findings contains lib.finding(
	"suffix-without-boundary", call.place,
	sprintf("evil%s ends in that too: begin the suffix with a dot or an @, or compare the whole", [suffix]),
) if {
	some [name, call] in lib.calls({"endswith", "strings.any_suffix_match"})
	some suffix in suffixes(name, call.args[1].value)
	regex.match(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`, suffix)
	not lib.below(lib.plain(call.args[0]), "input.request.path")
	not call.args[0].constant
	lib.opens(call)
}

suffixes("endswith", suffix) := [suffix] if is_string(suffix)

suffixes("strings.any_suffix_match", suffix) := [suffix] if is_string(suffix)

suffixes("strings.any_suffix_match", suffixes) := suffixes if is_array(suffixes)
