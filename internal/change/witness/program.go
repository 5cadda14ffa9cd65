package witness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// program is one entrypoint of one side.
type program struct {
	*partial.Program
	side       Side
	entrypoint string
	now        time.Time
	rules      *input.Rules
	form       *form
	routes     any
	// reads and constants are those of all its rules.
	reads         []partial.Read
	constants     []any
	readsRequest  bool
	readsEntities bool
	answer        partial.Answer
}

// maxPartial bounds one partial evaluation.
const maxPartial = 5 * time.Second

func newProgram(side Side, entrypoint string, now time.Time) (*program, error) {
	p, err := partial.New(side.Set, partial.Config{
		Rego: side.Config.EngineConfig().Rego(), Entrypoint: entrypoint, Now: now, Timeout: maxPartial,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare data.%s of %s: %w", strings.ReplaceAll(entrypoint, "/", "."), side.Name, err)
	}
	out := &program{Program: p, side: side, entrypoint: entrypoint, now: now, rules: side.Config.InputRules(),
		form: newForm(side.Config), routes: side.Set.Document()["routes"], answer: p.Answer()}
	out.reads, out.constants = p.Everything()
	for _, r := range out.reads {
		switch r.Path[0] {
		case "request", "mcp":
			out.readsRequest = true
		case "subject", "action", "resource":
			out.readsEntities = true
		}
	}
	out.readsRequest = out.readsRequest || !out.readsEntities
	return out, nil
}

// seed is that of all evaluations.
const seed = "witness"

// decide is what the policies as they are written make of a document.
func (p *program) decide(ctx context.Context, doc *input.Document) Outcome {
	result, err := p.side.Policy.Eval(ctx, engine.Question{
		Entrypoint: p.entrypoint, Document: doc, Time: p.now, Seed: seed,
	})
	out := Outcome{Reasons: []string{}}
	if err != nil {
		_, out.asksOthers = errors.AsType[*engine.OutsideError](err)
		out.Error = err.Error()
		return out
	}
	if answer, err := result.AppendJSON(nil); err == nil {
		out.Answer = answer
	}
	verdict, err := result.Verdict()
	if err != nil {
		out.Error = err.Error()
		return out
	}
	out.Allow = verdict.Allow
	for _, r := range verdict.Reasons {
		out.Reasons = append(out.Reasons, r.Code)
	}
	slices.Sort(out.Reasons)
	out.Reasons = slices.Compact(out.Reasons)
	return out
}
