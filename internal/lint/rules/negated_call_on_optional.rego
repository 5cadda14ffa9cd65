package lint

import data.lint.lib

findings contains lib.finding(
	"negated-call-on-optional", expr.place,
	sprintf("where a request has no %s, this is undefined and not true: ask for the absent member by a rule of its own, not %s", [
		part.ref, part.ref,
	]),
) if {
	lib.policy
	not input.not_keyword
	some expr in input.exprs
	expr.negated
	expr.form == "call"
	not expr.call in {"equal", "eq"}
	some arg in expr.args
	some part in array.concat([arg], object.get(arg, "items", []))
	part.optional
	not part.defaulted
	not part.renamed
	not part.ref in lib.asked_for
	not was_read(expr, part.ref)
}

# was_read is true where an earlier expression fails for the absent member.
was_read(expr, ref) if {
	not lib.branch(expr).denies
	some i in expr.before
	earlier := input.exprs[i]
	not earlier.negated
	ref in earlier.paths
}
