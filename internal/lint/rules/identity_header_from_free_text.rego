package lint

import data.lint.lib

findings contains lib.finding(
	"identity-header-from-free-text", member.place,
	sprintf("a header of %s is %s, and a line feed or another control character in it ends as misconfigured: write urlquery.encode(...)", [
		member.name, part.ref,
	]),
) if {
	lib.policy
	some member in input.headers
	some part in parts_of(member.value)
	is_free_text(part)
}

# parts_of is what a value is made of, through rules and functions that keep its characters.
parts_of(value) := opened(opened(opened(opened(opened(opened({value}))))))

opened(terms) := (terms | {item |
	some term in terms
	keeps_characters(term)
	some item in term.items
}) | {branch.value |
	some term in terms
	term.kind == "ref"
	term.path[0] == "data"
	some branch in data.set.rules[concat(".", term.path)]
}

keeps_characters(term) if term.kind in {"object", "array"}

keeps_characters(term) if {
	term.name in {
		"concat", "sprintf", "lower", "upper", "trim", "trim_space", "trim_prefix", "trim_suffix", "trim_left", "trim_right", "substring",
	}
}

is_free_text(term) if term.ref in {"input.token.subject.username", "input.request.path", "input.request.body"}

is_free_text(term) if {
	some place in {
		"input.token.claims", "input.context", "input.request.query", "input.request.segments",
		"input.subject", "input.action", "input.resource",
	}
	lib.below(term, place)
}
