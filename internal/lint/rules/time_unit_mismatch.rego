package lint

import data.lint.lib

findings contains lib.finding(
	"time-unit-mismatch", call.place,
	sprintf("%s is in seconds, and time.now_ns() in nanoseconds: compare with time.now_ns() / 1000000000", [
		call.args[1 - i].text,
	]),
) if {
	some [_, call] in lib.calls({"lt", "lte", "gt", "gte", "equal", "neq", "minus"})
	some i in [0, 1]
	is_nanoseconds(call.args[i])
	is_seconds(call.args[1 - i])
}

is_nanoseconds(term) if term.name == "time.now_ns"

is_nanoseconds(term) if {
	term.name in {"minus", "plus"}
	some item in term.items
	item.name == "time.now_ns"
	every other in term.items { not is_seconds(other) }
}

seconds := {
	"input.token.issued_at", "input.token.not_before", "input.token.expires_at", "input.token.auth.time", "input.token.age",
	"input.token.claims.exp", "input.token.claims.iat", "input.token.claims.nbf", "input.token.claims.auth_time",
}

is_seconds(term) if term.ref in seconds

is_seconds(term) if {
	term.name in {"minus", "plus"}
	some item in term.items
	item.ref in seconds
	every other in term.items { other.name != "time.now_ns" }
}

is_seconds(term) if {
	term.name in {"minus", "plus"}
	some item in term.items
	item.ref in seconds
	every other in term.items { not other.name }
}
