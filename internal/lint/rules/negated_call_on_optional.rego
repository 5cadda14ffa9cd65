package lint

import data.lint.lib

findings contains lib.finding(
	"negated-call-on-optional", expr.place,
	sprintf("for a request without %s this is undefined, so that the rule does not hold: add a rule with the condition not %s", [
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
