package lint

import data.lint.lib

findings contains lib.finding(
	"redacted-comparison", call.place,
	sprintf("%s allows what holds [redacted], which any client can write: allow nothing for it", [call.text]),
) if {
	some [_, call] in lib.calls({"equal", "eq", "startswith", "endswith", "contains"})
	some arg in call.args
	arg.value == "[redacted]"
	not call.negated
	lib.branch(call).allows
}
