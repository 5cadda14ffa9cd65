package lint

import data.lint.lib

findings contains lib.finding(
	"impossible-not", expr.place,
	sprintf("%s never holds: %s is a collection, and not is true for false and undefined alone; write count(%s) == 0", [
		expr.text, expr.term.text, expr.term.text,
	]),
) if {
	some expr in input.exprs
	expr.form == "term"
	expr.negated
	is_collection(expr.term)
}
