package lint

import data.lint.lib

findings contains lib.finding(
	"narrow-kind", call.place,
	sprintf("%s is \"unknown\" for ordinary tokens of many servers, which this refuses: %s", [arg.ref, narrow[[arg.ref, other.value]]]),
) if {
	lib.policy
	some [_, call] in lib.calls({"equal", "eq"})
	not call.negated
	some i in [0, 1]
	arg := call.args[i]
	other := call.args[1 - i]
	narrow[[arg.ref, other.value]]
	lib.branch(call).allows
}

narrow := {
	["input.token.subject.type", "user"]: "exclude \"client\", or name what tells users by issuers[].subject.user",
	["input.token.kind", "access"]: "refresh and ID tokens are refused before any policy runs",
}
