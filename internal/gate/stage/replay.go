package stage

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/replay"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// ClassTooFew is the class of the finding that there are too few decisions. Limits that are not kept have the names of
// package replay.
const ClassTooFew = "too_few_decisions"

// mostExamples is how many decisions of a class are named.
const mostExamples = 5

// replayed is the gate of the latest decisions, which both policies make anew.
func replayed(g gate.Replay, deps Deps) Stage {
	return Stage{Name: gate.ReplayName, Mode: g.Mode,
		// The judgement may differ once there are enough decisions, and once all of them are others.
		Basis: func() string {
			total := deps.Recent.Total()
			return fmt.Sprint(total >= uint64(g.MinDecisions), total/uint64(g.Last))
		},
		Judge: func(ctx context.Context, current, next Policies) (Judgement, error) {
			if len(deps.Logs) == 0 {
				return judgeReplay(ctx, g, current, next, replay.Records(deps.Recent.Records()))
			}
			logs, err := replay.Open(deps.Logs, nil)
			if err != nil {
				return Judgement{}, err
			}
			defer logs.Close()
			return judgeReplay(ctx, g, current, next, logs)
		}}
}

// Settled reports whether policies were refused for decisions that they change. Such a refusal is final: the decisions
// leave the memory as others are made, and the policies would pass for want of evidence.
func Settled(said status.Gates) bool {
	return slices.ContainsFunc(said.Gates, func(g status.Gate) bool {
		return g.Name == gate.ReplayName && g.Outcome == Refused &&
			slices.ContainsFunc(g.Findings, func(f status.GateFinding) bool {
				return f.Class != ClassTooFew && f.Class != classTimeout && f.Class != classFailed
			})
	})
}

// judgeReplay decides events anew, by next and by current; without current, the log says what was decided.
func judgeReplay(
	ctx context.Context, g gate.Replay, current, next Policies, events replay.Events,
) (Judgement, error) {
	limits, err := g.Limits()
	if err != nil {
		return Judgement{}, err
	}
	report, err := replay.Run(ctx, events, replay.Options{
		Candidate: replay.Side{Set: next.Set, Policy: next.Policy},
		Baseline:  replay.Side{Set: current.Set, Policy: current.Policy},
		Last:      g.Last, Limits: limits, Examples: mostExamples, Explain: -1, Followed: -1,
		Workers: max(runtime.GOMAXPROCS(0)/2, 1), // decisions are made meanwhile
	})
	if err != nil {
		return Judgement{}, err
	}
	return judgeReport(g, report), nil
}

func tooFew(g gate.Replay, n int) Judgement {
	j := Judgement{Message: fmt.Sprintf("not enough decisions to compare: %d, and %d are asked for "+
		"(policies.gate.replay.min_decisions)", n, g.MinDecisions)}
	if g.TooFew == gate.Refuse {
		j.add(status.GateFinding{Class: ClassTooFew, Message: j.Message})
	}
	return j
}

// judgeReport takes the limits that are not kept. Of few decisions a share says nothing, and a number does: one
// request that was denied and would be allowed is evidence, however few others there are.
func judgeReport(g gate.Replay, r *replay.Report) Judgement {
	few := r.Partial == "" && r.Compared() < g.MinDecisions
	j :=
		Judgement{Message: fmt.Sprintf("%d of %d recent decisions would change: %d from deny to allow, %d from allow "+
			"to deny; %d cannot be made anew", r.Changes.Changed(), r.Totals.Replayed, r.Changes.DenyToAllow,
			r.Changes.AllowToDeny, r.Totals.NotReplayable)}
	for _, c := range r.Checks {
		if c.Passed || few && strings.HasSuffix(c.Limit, "%") {
			continue
		}
		class := strings.ReplaceAll(strings.TrimPrefix(c.Name, "max-"), "-", "_")
		j.add(status.GateFinding{Class: class, Message: c.Text, Examples: examplesOf(r, class)})
	}
	if few && len(j.Findings) == 0 {
		return tooFew(g, r.Totals.Replayed)
	}
	return j
}

// examplesOf are the decisions that a limit is about.
func examplesOf(r *replay.Report, class string) []status.GateExample {
	if class == "errors" {
		class = string(replay.ToError)
	}
	var out []status.GateExample
	for _, e := range r.Examples {
		if string(e.Class) == class {
			out = append(out, status.GateExample{DecisionID: e.DecisionID, Entrypoint: e.Entrypoint, Was: e.Was.Kind,
				Now: e.Now.Kind})
		}
	}
	return out
}
