package lint

import data.lint.lib

findings contains lib.finding(
	"constant-condition", expr.place,
	sprintf("%s is the same for each request: remove it, or compare with a member of the input", [expr.text]),
) if {
	not input.test
	some expr in input.exprs
	is_constant(expr)
}

is_constant(expr) if {
	expr.form == "term"
	expr.term.constant
}

is_constant(expr) if {
	expr.form == "call"
	expr.call in {"equal", "eq", "neq", "lt", "lte", "gt", "gte", "internal.member_2"}
	every arg in expr.args { arg.constant }
}

# How many there are is never less than none.
is_constant(expr) if {
	expr.form == "call"
	some [operator, counted, limit, least] in [["gte", 0, 1, 0], ["gt", 0, 1, -1], ["lte", 1, 0, 0], ["lt", 1, 0, -1]]
	expr.call == operator
	expr.args[counted].name == "count"
	expr.args[limit].value == least
}
