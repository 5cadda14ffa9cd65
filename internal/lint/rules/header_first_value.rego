package lint

import data.lint.lib

findings contains lib.finding(
	"header-first-value", call.place,
	sprintf("a second value of the header passes unseen: compare the whole, %s == [...]", [trim_suffix(arg.ref, "[0]")]),
) if {
	lib.policy
	some [_, call] in lib.calls({"equal", "eq", "neq", "internal.member_2"})
	some arg in call.args
	count(arg.path) == 5
	array.slice(arg.path, 0, 3) == ["input", "request", "headers"]
	arg.path[4] == "0"
	not arg.path[3] in described_headers
	lib.branch(call).allows
	not [call.branch, trim_suffix(arg.ref, "[0]")] in lib.counted
}

# described_headers say what is sent, and decide nothing about who sends it.
described_headers := {"content-type", "accept", "user-agent", "referer", "accept-language"}
