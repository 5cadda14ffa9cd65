package lint

import data.lint.lib

findings contains lib.finding(
	"impossible-text", compared.place,
	sprintf("%s is never %q: %s", [compared.ref, compared.text, cause]),
) if {
	lib.policy
	some compared in compared_texts
	cause := never(compared.ref, compared.text)
}

# compared_texts are the constants that a member of the input is compared with, by ==, "in" and startswith.
compared_texts contains {"ref": call.args[i].ref, "text": call.args[1 - i].value, "place": call.place} if {
	some [_, call] in lib.equalities
	some i in [0, 1]
	is_string(call.args[1 - i].value)
}

compared_texts contains {"ref": call.args[0].ref, "text": text, "place": call.place} if {
	some call in input.calls["internal.member_2"]
	some text in call.args[1].value
	is_string(text)
}

compared_texts contains {"ref": sprintf("%s[_]", [call.args[1].ref]), "text": call.args[0].value, "place": call.place} if {
	some call in input.calls["internal.member_2"]
	is_string(call.args[0].value)
}

compared_texts contains {"ref": call.args[0].ref, "text": call.args[1].value, "place": call.place} if {
	some call in input.calls.startswith
	is_string(call.args[1].value)
}

never("input.request.path", text) := "a path begins with a slash" if not startswith(text, "/")

never("input.request.path", text) := "nothing reads it as a pattern: compare input.request.segments, or use glob.match" if {
	regex.match(`^/(.*/)?(\*+|:[A-Za-z_]+|\{[A-Za-z_]+\})(/|$)`, text)
}

never(ref, text) := "a segment of a path holds no slash" if {
	startswith(ref, "input.request.segments[")
	contains(text, "/")
}

never("input.request.host", text) := "the port is input.request.port" if regex.match(`^[^:]+:[0-9]+$`, text)

never("input.token.scopes[_]", text) := "a scope holds no blank: ask for each" if contains(text, " ")
