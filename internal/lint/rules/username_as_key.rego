package lint

import data.lint.lib

findings contains lib.finding(
	"username-as-key", expr.place,
	"user names change and are given anew: decide by input.token.issuer, subject.type and subject.id together",
) if {
	lib.policy
	some expr in input.exprs
	expr.form in {"call", "term"}
	"input.token.subject.username" in expr.paths
	not is_presence(expr)
	branch := lib.branch(expr)
	true in {branch.allows, branch.denies}
}

is_presence(expr) if {
	expr.form == "term"
	expr.term.ref == "input.token.subject.username"
}
