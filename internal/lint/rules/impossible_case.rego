package lint

import data.lint.lib

findings contains lib.finding(
	"impossible-case", call.place,
	sprintf("%s gives a text in %s case, which never is %s", [changed.text, changed.name, wanted.text]),
) if {
	some [_, call] in lib.calls({"equal", "eq", "neq"})
	some i in [0, 1]
	changed := call.args[i]
	wanted := call.args[1 - i]
	in_other_case(changed, wanted.value)
}

findings contains lib.finding(
	"impossible-case", call.place,
	sprintf("%s gives a text in %s case, which never is %q", [call.args[0].text, call.args[0].name, text]),
) if {
	some call in input.calls["internal.member_2"]
	some text in call.args[1].value
	in_other_case(call.args[0], text)
}

in_other_case(changed, text) if {
	changed.name == "lower"
	lower(text) != text
}

in_other_case(changed, text) if {
	changed.name == "upper"
	upper(text) != text
}

findings contains lib.finding(
	"impossible-case", call.place,
	sprintf("%s is never %q: write %q", [call.args[0].ref, text, spelt]),
) if {
	lib.policy
	some call in input.calls["internal.member_2"]
	some text in call.args[1].value
	spelt := canonical(call.args[0].ref, text)
	spelt != text
}

canonical("input.request.method", text) := upper(text)

canonical("input.request.host", text) := lower(text)

canonical("input.request.scheme", text) := lower(text)
