package lint

import data.lint.lib

findings contains lib.finding(
	"default-allow", branch.place,
	sprintf("%s is true where no rule says anything: write default %s := false, and rules that allow", [
		branch.name, branch.name,
	]),
) if {
	some branch in input.branches
	branch.default
	branch.allows
	grants(branch.value)
	not is_exception(branch)
}

# grants is true for the value of a decision that allows.
grants(value) if value.value == true

grants(value) if {
	some i, key in value.keys
	key == "allow"
	value.items[i].value == true
}

# is_exception is true for a helper that other rules make false.
is_exception(branch) if {
	not is_verdict(branch)
	some other in data.set.rules[branch.path]
	other.refuses
}
