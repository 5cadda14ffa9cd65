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
