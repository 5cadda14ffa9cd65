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
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

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
	// Silenced are the findings that comments or metadata silence, in the same order.
	Silenced []Silenced
}

// maxTime bounds how long looking for findings may take, for a set of the greatest size that loads.
const maxTime = time.Minute

// Run looks for findings in the modules of set, and in its tests where it has some. Modules of an embedded library are
// read and not reported. A set that does not parse has no findings: loading says why. The error is that of ctx, or
// says that the findings were not complete within a minute; the report then holds those of the first modules.
// A panic is an error, so that no file can end the process.
func Run(ctx context.Context, set *bundle.Set, cfg Config) (out Report, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("look for findings: the rules failed (%T)", r)
		}
	}()
	compiler, err := compilePack()
	if err != nil {
		return Report{}, err
	}
	out, _, err = run(ctx, compiler, set, cfg)
	return out, err
}

// run takes the compiled pack, and also returns the builtins that failed in the pack.
func run(
	ctx context.Context, compiler *ast.Compiler, set *bundle.Set, cfg Config,
) (out Report, failed []topdown.Error, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	p := newProgram(set, cfg.Rego)
	if p == nil {
		return Report{}, nil, ctx.Err()
	}
	own := ownFiles(set)
	docs, facts := p.describeAll(cfg)
	query, err := prepare(ctx, compiler, facts)
	if err != nil {
		return Report{}, nil, err
	}
	for i := range docs {
		if err := ctx.Err(); err != nil {
			return out, failed, err
		}
		raw, ok := own[docs[i].File]
		if !ok {
			continue
		}
		found, errs, err := evaluate(ctx, query, &docs[i])
		if err != nil {
			return out, failed, err
		}
		failed = append(failed, errs...)
		kept, silenced := silence(p.parsed[docs[i].File], raw, sorted(found))
		out.Findings, out.Silenced = append(out.Findings, kept...), append(out.Silenced, silenced...)
	}
	out.Findings = sorted(out.Findings)
	return out, failed, nil
}

// ownFiles are the modules and tests of set, by their paths, without those of an embedded library.
func ownFiles(set *bundle.Set) map[string][]byte {
	own := map[string][]byte{}
	for _, b := range set.Bundles {
		if b.Embedded {
			continue
		}
		for _, f := range slices.Concat(b.Modules, b.Tests) {
			own[f.Path] = f.Raw
		}
	}
	return own
}

// sorted returns findings in their order, each once.
func sorted(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(found)
}
