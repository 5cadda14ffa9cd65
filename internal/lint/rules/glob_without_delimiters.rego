package lint

import data.lint.lib

findings contains lib.finding(
	"glob-without-delimiters", call.place,
	sprintf("a star of the pattern matches slashes too: write [\"/\"] for %s, and ** where slashes are meant", [
		call.args[1].text,
	]),
) if {
	some call in input.calls["glob.match"]
	lib.plain(call.args[2]).ref in {"input.request.path", "input.request.raw_path"}
	call.args[1].constant
	not delimits(call.args[1].value)
	has_star(call.args[0])
	lib.opens(call)
}

delimits(delimiters) if "/" in delimiters

has_star(pattern) if not pattern.constant

has_star(pattern) if contains(replace(pattern.value, "**", ""), "*")
