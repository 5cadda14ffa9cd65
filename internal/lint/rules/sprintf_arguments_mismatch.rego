package lint

import data.lint.lib

findings contains lib.finding(
	"sprintf-arguments-mismatch", call.place,
	sprintf("the format has %d verbs, and there are %d arguments", [verbs, given]),
) if {
	some call in input.calls.sprintf
	format := call.args[0].value
	is_string(format)
	call.args[1].kind == "array"
	not regex.match(`%[^a-zA-Z%]*[*\[]`, format)
	verbs := count(regex.find_n(`%[-+# 0]*[0-9]*(\.[0-9]*)?[a-zA-Z]`, replace(format, "%%", ""), -1))
	given := count(call.args[1].items)
	verbs != given
}
