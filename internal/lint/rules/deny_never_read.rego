package lint

import data.lint.lib

findings contains lib.finding(
	"deny-never-read", branch.place,
	sprintf("no entrypoint reads %s, so that it denies nothing: let a decision depend on it, or rename it", [branch.name]),
) if {
	lib.policy
	some branch in input.branches
	regex.match(`^(deny|denied|denies|violations?|block|blocked|forbid|forbidden|reject|rejected)$`, branch.name)
	branch["else"] == 0
	not branch.default
	not branch.reached
	some entrypoint in data.set.entrypoints
	startswith(entrypoint, concat("", [concat(".", input.package), "."]))
}
