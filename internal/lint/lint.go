// Package lint finds what is probably wrong in policies that load: what an author of authorization rules should look
// at before a request does.
//
// The rules of the pack are Rego (rules/*.rego), evaluated over a document of each module: its rules, expressions,
// calls and references with their places, with what each local variable stands for. Each rule has a code, and a page
// in docs/rules.
package lint

import (
	"cmp"
	"context"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Level says how certain a finding is.
type Level string

// The levels, from the gravest.
const (
	Error   Level = "error"   // certainly wrong
	Warning Level = "warning" // probably wrong
	Note    Level = "note"    // style, or worth a look
)

// Finding is a problem with a level.
type Finding struct {
	bundle.Problem
	Level Level
}

// Config is what the configuration says that findings depend on.
type Config struct {
	// Rego are the settings of compilers.
	Rego rego.Options
	// Entrypoints are the paths of rules that may be asked besides those that are annotated: "authz/decision".
	Entrypoints []string
	// Issuers are the names of the configured issuers.
	Issuers []string
}

// Report is what was found in a set.
type Report struct {
	// Findings are sorted by file, position and code.
	Findings []Finding
	// Silenced counts the findings that comments silence.
	Silenced int
}

// Run looks for findings in the modules of set, and in its tests where it has some. Modules of an embedded library are
// read and not reported. A set that does not parse has no findings: loading says why. The error is that of ctx.
func Run(ctx context.Context, set *bundle.Set, cfg Config) (Report, error) {
	modules, _, whole := rego.ParseReadable(set, cfg.Rego, rego.WithTests)
	if !whole || len(modules) == 0 {
		return Report{}, ctx.Err()
	}
	return Report{}, ctx.Err()
}

// sorted returns findings in their order, each once.
func sorted(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(found)
}
