package engine

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

const ownLibraryHint = " (the policies bring modules or data of their own under data.sidecar, so that the library of " +
	"the binary is not used: sidecar library copy lays out all of it)"

// unnamedLibraryHint is that for policies that bring nothing there.
const unnamedLibraryHint = " (the library of the binary is added where a module names data.sidecar itself: the name " +
	"in a variable does not count)"

// hintAtOwnLibrary says, where something under data.sidecar is missing, why the library does not provide it.
func hintAtOwnLibrary(set *bundle.Set, problems bundle.Problems) bundle.Problems {
	if slices.ContainsFunc(set.Bundles, func(b bundle.Bundle) bool { return b.Embedded }) {
		return problems
	}
	problems = slices.Clone(problems)
	for i, p := range problems {
		missing := strings.HasPrefix(p.Message, "undefined ref: data.sidecar.") ||
			strings.HasPrefix(p.Message, "undefined function data.sidecar.")
		hint := ownLibraryHint
		if strings.Contains(p.Message, " provide data.sidecar (") {
			hint = unnamedLibraryHint
		}
		if missing && !strings.HasSuffix(p.Message, hint) {
			problems[i].Message += hint
		}
	}
	return problems
}
