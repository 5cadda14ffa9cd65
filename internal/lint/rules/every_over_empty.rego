package lint

import data.lint.lib

findings contains lib.finding(
	"every-over-empty", expr.place,
	sprintf("this holds when %s is empty: ask for count(%s) > 0 too", [expr.term.text, expr.term.text]),
) if {
	lib.policy
	some expr in input.exprs
	expr.form == "every"
	expr.term.path[0] == "input"
	expr.term.ref != "input.request.segments"
	lib.branch(expr).allows
	not is_counted(expr)
}

is_counted(expr) if [expr.branch, expr.term.ref] in lib.counted

is_counted(expr) if {
	some i in expr.before
	some path in input.exprs[i].paths
	startswith(path, concat("", [expr.term.ref, "["]))
}
