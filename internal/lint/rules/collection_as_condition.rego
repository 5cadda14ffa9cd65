package lint

import data.lint.lib

findings contains lib.finding(
	"collection-as-condition", expr.place,
	sprintf("%s is a collection, which holds when it is empty too: write count(%s) > 0", [expr.text, expr.text]),
) if {
	some expr in input.exprs
	expr.form == "term"
	not expr.negated
	is_collection(expr.term)
}

# is_collection is true for a rule that always is a set, an object or an array.
is_collection(term) if {
	term.kind == "ref"
	some branch in data.set.rules[concat(".", term.path)]
	is_collected(branch)
}

is_collected(branch) if branch.kind in {"set", "object"}

is_collected(branch) if {
	branch.kind == "complete"
	branch.bare
	branch.value.kind in {"comprehension", "set", "array", "object"}
}
