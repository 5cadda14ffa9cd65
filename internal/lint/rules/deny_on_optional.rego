package lint

import data.lint.lib

findings contains lib.finding(
	"deny-on-optional", expr.place,
	sprintf("a request without %s is not denied here, for the expression is then undefined: add a rule with the condition not %s", [
		arg.ref, arg.ref,
	]),
) if {
	lib.policy
	some expr in input.exprs
	expr.form == "call"
	tells_apart(expr)
	branch := lib.branch(expr)
	branch.denies
	not branch.allows
	some arg in expr.args
	arg.optional
	not arg.defaulted
	not arg.ref in lib.asked_for
}

tells_apart(expr) if {
	not expr.negated
	expr.call in {"neq", "lt", "lte", "gt", "gte"}
}

tells_apart(expr) if {
	expr.negated
	not expr.call in {"equal", "eq"}
	some arg in expr.args
	arg.renamed
	arg.optional
}
