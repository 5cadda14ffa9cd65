package lint

import data.lint.lib

findings contains lib.finding(
	"defaults-compare-equal", call.place,
	sprintf("%s and %s are equal when both are absent: compare without defaults, or refuse %s first", [
		call.args[0].ref, call.args[1].ref, call.args[0].items[2].text,
	]),
) if {
	some [_, call] in lib.calls({"equal", "eq"})
	call.args[0].defaulted
	call.args[1].defaulted
	call.args[0].ref != call.args[1].ref
	call.args[0].items[2].constant
	call.args[0].items[2].value == call.args[1].items[2].value
	not call.negated
	lib.branch(call).allows
	not is_refused(call)
}

# is_refused is true where the same rule says that one of both is not the default.
is_refused(call) if {
	some compared in call.args
	[call.branch, compared.ref] in lib.refused
}
