package app

import (
	"context"
	"errors"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// codeRefused is the code of problems of a gate that has no code of its own.
const codeRefused = "gate_error"

// policies is a set of files and the policy that they compile to.
type policies struct {
	set    *bundle.Set
	policy *engine.Policy
}

// gate may refuse policies that compile, before they decide: at the start, at a reload, and in "sidecar check".
type gate struct {
	name string
	// admit returns why next must not replace current, as bundle.Problems or any other error. At the start and in
	// check current is the zero value. It bounds its own time, ends with ctx, and changes nothing.
	admit func(ctx context.Context, current, next policies) error
}

// gatesOf returns the gates that a configuration asks for, in their order.
func gatesOf(*config.Config) []gate { return nil }

// admit asks every gate, so that all reasons are reported at once. Its error is bundle.Problems, or that of ctx.
func admit(ctx context.Context, gates []gate, current, next policies) error {
	var refused bundle.Problems
	for _, g := range gates {
		err := g.admit(ctx, current, next)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			refused = append(refused, g.refusal(next.set, err)...)
		}
	}
	if len(refused) > 0 {
		return refused.Sorted()
	}
	return nil
}

// refusal is the error of a gate, with its name.
func (g gate) refusal(set *bundle.Set, err error) bundle.Problems {
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		problems = bundle.Problems{{File: set.Bundles[0].Name, Code: codeRefused, Message: err.Error()}}
	}
	problems = slices.Clone(problems)
	for i := range problems {
		problems[i].Message = "refused by gate " + g.name + ": " + problems[i].Message
	}
	return problems
}
