package lint

import data.lint.lib

findings contains lib.finding(
	"else-allows", branch.place,
	sprintf("what no earlier branch of %s catches is allowed: turn it round, and let the last branch deny", [branch.name]),
) if {
	lib.policy
	some branch in input.branches
	branch["else"] > 0
	branch.bare
	branch.allows
	grants(branch.value)
}
