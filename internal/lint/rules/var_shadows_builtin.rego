package lint

import data.lint.lib

findings contains lib.finding(
	"var-shadows-builtin", local.place,
	sprintf("the variable %s hides the builtin of that name: rename it", [local.name]),
) if {
	some local in input.locals
	local.name in data.set.builtins
}
