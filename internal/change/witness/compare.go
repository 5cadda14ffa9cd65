// Package witness compares two versions of the policies by what they allow. For each shape of request (a method and a
// path, the rest unknown) it proves by partial evaluation that both allow under the same conditions, or it looks for a
// witness: an input document that one side allows and the other denies, decided by both policies as they are written.
// A difference that is found is certain; none that is found is no proof, and counts tell how far it was looked for.
package witness

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// Side is one version of the policies. Set and Policy are those of one load.
type Side struct {
	// Name is how the user named it, such as a path.
	Name   string
	Set    *bundle.Set
	Policy *engine.Policy
	Config *config.Config
}

// Options bound a comparison.
type Options struct {
	// Now is the time of all evaluations, cut to seconds; the zero time stands for the present.
	Now time.Time
	// Budget bounds the whole comparison; 0 stands for DefaultBudget.
	Budget time.Duration
	// Requests are shapes besides those that the policies name, such as the requests of suites and decision logs.
	Requests []authz.Request
	// Documents are whole input documents, such as those of a decision log, which both policies decide.
	Documents []jsontext.Value
	// Progress, where it is not nil, is called after each shape, by one goroutine at a time.
	Progress func(done, total int)
}

// DefaultBudget bounds a comparison.
const DefaultBudget = 60 * time.Second

// Compare compares the entrypoints that both sides have. An error means that ctx has ended.
func Compare(ctx context.Context, from, to Side, opts Options) (Findings, error) {
	begin := time.Now()
	if opts.Now.IsZero() {
		opts.Now = begin
	}
	opts.Now = opts.Now.Truncate(time.Second).UTC()
	out := Findings{Result: Same, Old: from.Name, New: to.Name, Now: opts.Now, Findings: []Finding{},
		Entrypoints: []Entrypoint{}}
	within, stop := context.WithTimeout(ctx, cmp.Or(opts.Budget, DefaultBudget))
	defer stop()
	for _, path := range from.Policy.Entrypoints() {
		if !to.Policy.Has(path) {
			continue
		}
		entry, findings, times := compareEntrypoint(within, path, from, to, opts)
		findings = append(findings, atOtherTimes(within, &entry, times, findings, from, to, opts)...)
		out.Entrypoints = append(out.Entrypoints, entry)
		out.Findings = append(out.Findings, findings...)
		out.Result = gravest(out.Result, entry.Result)
	}
	if len(out.Entrypoints) == 0 {
		out.Result = Undecided
	}
	slices.SortStableFunc(out.Findings, byGravity)
	out.Took = time.Since(begin).Seconds()
	return out, ctx.Err()
}

// compareEntrypoint compares one entrypoint. Where it cannot be prepared for partial evaluation, it is not decided.
// times are others to compare it at, where it reads the clock.
func compareEntrypoint(
	ctx context.Context, path string, from, to Side, opts Options,
) (entry Entrypoint, found []Finding, times []time.Time) {
	old, err := newProgram(from, path, opts.Now)
	if err == nil {
		var new *program
		if new, err = newProgram(to, path, opts.Now); err == nil {
			c := newComparison(old, new, opts)
			entry, found = c.run(ctx)
			if !c.identical && (old.ReadsClock() || new.ReadsClock()) {
				entry.Times, times = 1, c.times()
			}
			return entry, found, times
		}
	}
	return Entrypoint{Path: path, Result: Undecided, Reasons: []OpenReason{{Text: err.Error()}},
		Opaque: []string{}}, nil, nil
}

// order is that of the classes by gravity.
var order = []Class{Wider, Narrower, Different, Undecided, Same}

func gravest(a, b Class) Class {
	if slices.Index(order, b) < slices.Index(order, a) {
		return b
	}
	return a
}
