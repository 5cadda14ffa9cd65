package lint

import data.lint.lib

findings contains lib.finding(
	"missing-metadata", input.place,
	"no metadata say what this policy is for: write # METADATA and # title: above the package or the entrypoint",
) if {
	lib.policy
	not input.title
	some branch in input.branches
	branch.entrypoint
}
