package lint

import data.lint.lib

findings contains lib.finding(
	"rule-shadows-builtin", branch.place,
	sprintf("the rule %s hides the builtin of that name in its package: rename it", [branch.name]),
) if {
	some branch in input.branches
	branch["else"] == 0
	branch.path == concat(".", array.concat(input.package, [branch.name]))
	branch.name in data.set.builtins
}
