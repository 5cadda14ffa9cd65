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

findings contains lib.finding(
	"collection-as-condition", expr.place,
	sprintf("%s is a collection, which holds when it is empty too: write count(%s) > 0", [expr.text, expr.text]),
) if {
	some expr in input.exprs
	expr.form == "call"
	not expr.negated
	expr.call in collectors
}

# is_collection is true for a rule that always is a set, an object or an array.
is_collection(term) if {
	term.kind == "ref"
	some branch in data.set.rules[concat(".", term.path)]
	is_collected(branch)
}

# A variable may stand for a comprehension, or for what an operator makes of sets.
is_collection(term) if {
	term.renamed
	term.kind == "comprehension"
}

is_collection(term) if {
	term.kind == "call"
	term.name in collectors
}

collectors := {"and", "or", "intersection", "union", "object.keys", "array.concat", "array.slice"}

is_collected(branch) if branch.kind in {"set", "object"}

is_collected(branch) if {
	branch.kind == "complete"
	branch.bare
	branch.value.kind in {"comprehension", "set", "array", "object"}
}
