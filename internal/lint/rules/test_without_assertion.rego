package lint

import data.lint.lib

findings contains lib.finding(
	"test-without-assertion", branch.place,
	sprintf("%s asserts nothing: compare a result, %s", [branch.name, "data.authz.decision.allow == false with input as ..."]),
) if {
	input.test
	some i, branch in input.branches
	startswith(branch.name, "test_")
	branch.value.value == true
	not i in asserting
}

# asserting are the branches with an expression that may be false.
asserting := {expr.branch |
	some expr in input.exprs
	expr.top
	asserts(expr)
}

asserts(expr) if expr.form == "every"

asserts(expr) if {
	expr.form == "call"
	expr.call != "print"
	not is_constant(expr)
}

asserts(expr) if {
	expr.form == "term"
	not expr.term.constant
}
