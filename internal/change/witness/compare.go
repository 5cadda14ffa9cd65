// Package witness compares two versions of the policies by what they allow. For each shape of request (a method and a
// path, the rest unknown) it proves by partial evaluation that both allow under the same conditions, or it looks for a
// witness: an input document that one side allows and the other denies, decided by both policies as they are written.
// A difference that is found is certain; none that is found is no proof, and counts tell how far it was looked for.
package witness

import (
	"context"
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

// Compare compares the entrypoints that both sides have. An error means that a side cannot be prepared.
func Compare(ctx context.Context, from, to Side, opts Options) (Findings, error) {
	if opts.Now.IsZero() {
		opts.Now = time.Now()
	}
	out := Findings{Result: Undecided, Old: from.Name, New: to.Name, Now: opts.Now.Truncate(time.Second).UTC(),
		Findings: []Finding{}, Entrypoints: []Entrypoint{}}
	return out, ctx.Err()
}
