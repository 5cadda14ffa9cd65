package lint

import data.lint.lib

findings contains lib.finding(
	"unconditional-allow", branch.place,
	sprintf("%s allows and depends on neither input.token nor input.request", [branch.name]),
) if {
	lib.policy
	some branch in input.branches
	is_verdict(branch)
	not branch.default
	branch.allows
	branch.kind == "complete"
	is_positive(branch.value)
	not is_last_else(branch)
	count(branch.reads) == 0
}

is_verdict(branch) if branch.entrypoint

is_verdict(branch) if branch.name in {"allow", "allowed", "authorized", "permit", "permitted", "grant", "granted"}

is_positive(value) if grants(value)

is_last_else(branch) if {
	branch["else"] > 0
	branch.bare
}
