package lint

import data.lint.lib

findings contains lib.finding(
	"not-equals-in-loop", call.place,
	sprintf("%s holds as soon as one element differs: for none, write not %s in the collection", [call.text, other.text]),
) if {
	some call in input.calls.neq
	not call.negated
	some i in [0, 1]
	arg := call.args[i]
	other := call.args[1 - i]
	iterates(arg)
	not is_empty_text(other)
}

# A collection with some text that is not empty is what such a condition means.
is_empty_text(term) if term.value == ""

iterates(arg) if {
	arg.kind == "ref"
	not arg.renamed
	endswith(arg.text, "[_]")
}

# A variable of "some ... in" that the rule names here alone.
iterates(arg) if {
	arg.kind == "ref"
	arg.renamed
	arg.uses == 2
	arg.path[count(arg.path) - 1] == "_"
}
