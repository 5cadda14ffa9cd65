# METADATA
# title: Helpers
# description: What the rules of the pack share. Their input is the document of one module (document.go).
package lint.lib

# METADATA
# title: Finding
# description: A finding at a place, which is [row, column].
finding(code, place, message) := {"code": code, "row": place[0], "col": place[1], "message": message}

# METADATA
# title: Calls
# description: All calls of the named functions, each with its name.
calls(names) := [[name, call] |
	some name in names
	some call in input.calls[name]
]

# METADATA
# title: References
# description: All references to the input.
refs := [ref |
	some part in input.refs
	some ref in part
]

# METADATA
# title: Branch
# description: The rule, or the else of it, around an expression, a call or a reference.
branch(x) := input.branches[x.branch]

# METADATA
# title: Dotted
# description: A path as a text that ends in a dot, for comparisons with prefixes.
dotted(path) := concat("", [concat(".", path), "."])

# METADATA
# title: Below
# description: The term stands for a path of the input at or below a place such as input.request.path.
below(term, place) if startswith(dotted(term.path), concat("", [place, "."]))

# METADATA
# title: Text
# description: What is within functions that change only the spelling of a text.
plain(term) := within if {
	within := spelt(spelt(term))
}

spelt(term) := term.items[0] if {
	term.kind == "call"
	term.name in {"lower", "upper", "trim_space", "trim", "trim_left", "trim_right", "trim_prefix", "trim_suffix"}
} else := term

# METADATA
# title: Equalities
# description: The calls that compare two values for equality, those of "in" included.
equalities := calls({"equal", "eq"})

# METADATA
# title: Policy
# description: The module is a policy that decides, neither a test nor a policy of the decision log.
policy if {
	not input.test
	not input.log
}

# METADATA
# title: Opens
# description: That the call holds helps to allow, or decides nothing that is known. A test that is too wide is safe in a rule that denies.
opens(call) if {
	policy
	not call.negated
	not only_denies(branch(call))
}

only_denies(rule) if {
	rule.denies
	not rule.allows
}

# METADATA
# title: Asked for
# description: The members of the input for which the module has a condition that they are absent.
asked_for contains expr.term.ref if {
	some expr in input.exprs
	expr.negated
	expr.form == "term"
}

# METADATA
# title: Counted
# description: The paths whose elements a branch counts, with the branch.
counted contains [call.branch, call.args[0].ref] if some call in input.calls.count

# METADATA
# title: Refused
# description: The paths that a branch says are not something, with the branch.
refused contains [call.branch, arg.ref] if {
	some call in input.calls.neq
	some arg in call.args
}
