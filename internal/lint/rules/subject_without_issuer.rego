package lint

import data.lint.lib

findings contains lib.finding(
	"subject-without-issuer", expr.place,
	sprintf("%d issuers are configured, and two of them may have the same subject: compare input.token.issuer too", [
		count(data.set.issuers),
	]),
) if {
	lib.policy
	count(data.set.issuers) > 1
	some expr in input.exprs
	expr.form in {"call", "term"}
	"input.token.subject.id" in expr.paths
	branch := lib.branch(expr)
	branch.allows
	count([ref |
		some ref in input.refs["input.token"]
		ref.path[2] == "issuer"
	]) == 0
}
