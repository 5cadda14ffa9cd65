package lint

import data.lint.lib

findings contains lib.finding(
	"method-by-exclusion", expr.place,
	"each other method is allowed, HEAD, OPTIONS and those of extensions too: name the methods that are meant",
) if {
	lib.policy
	some expr in input.exprs
	expr.form == "call"
	excludes(expr)
	"input.request.method" in {arg.ref | some arg in expr.args}
	some arg in expr.args
	arg.constant
	branch := lib.branch(expr)
	branch.allows
	not branch.denies
}

excludes(expr) if {
	expr.call == "neq"
	not expr.negated
}

excludes(expr) if {
	expr.call in {"equal", "eq", "internal.member_2"}
	expr.negated
}
