package lint

import data.lint.lib

findings contains lib.finding(
	"no-defined-entrypoint", asked[0].place,
	"the configuration alone makes this an entrypoint: write # METADATA and # entrypoint: true above it",
) if {
	not data.set.annotated
	asked := [branch |
		some branch in input.branches
		branch.entrypoint
	]
}
