// Package stage asks the gates: whether new policies may decide in place of those that do.
package stage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// The outcomes of a gate.
const (
	Passed  = "passed"
	Warned  = "warned"
	Refused = "refused"
)

// Policies is a set of files and the policy that they compile to.
type Policies struct {
	Set    *bundle.Set
	Policy *engine.Policy
}

// Stage is one gate.
type Stage struct {
	// Name is one of gate.Names. Mode is gate.Warn or gate.Refuse.
	Name, Mode string
	// Judge says what is wrong with next. current is what decides now; zero at a start. It ends with ctx, and changes
	// nothing.
	Judge func(ctx context.Context, current, next Policies) (Judgement, error)
	// turn is held by the one Judge that runs: one that cannot be stopped, since a compiler cannot, goes on after its
	// time. nil lets any number run.
	turn chan struct{}
	// Basis names what a judgement rests on besides the policies: while it stays equal, so does the judgement. nil
	// stands for nothing.
	Basis func() string
}

// Judgement is what a gate found.
type Judgement struct {
	// Message says it in one sentence.
	Message string
	// Findings are why next must not decide; without one it may.
	Findings []status.GateFinding
}

// Deps are what gates are given besides the configuration.
type Deps struct {
	// Recent are the latest decisions; nil where none are kept.
	Recent *decisionlog.Recent
	// Logs are files of decision logs to take in place of Recent; none are read when there are none.
	Logs []string
}

// All are the gates that cfg asks for, in their order.
func All(cfg *config.Config, deps Deps) []Stage {
	g := cfg.Policies.Gate
	var all []Stage
	for _, s := range []Stage{
		capabilities(cfg, g.Capabilities),
		tests(cfg, g.Tests),
		replayed(g.Replay, deps),
	} {
		if s.Mode != gate.Off && s.Mode != "" {
			s.turn = make(chan struct{}, 1)
			all = append(all, s)
		}
	}
	return all
}

// Ask asks every gate, so that all reasons are told at once, for no longer than timeout. When ctx ends, what is
// returned means nothing.
func Ask(ctx context.Context, stages []Stage, timeout time.Duration, current, next Policies) status.Gates {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf(
		"it is not done after %s, the time of all gates (policies.gate.timeout)", timeout))
	defer cancel()
	out := status.Gates{Digest: next.Set.Digest, Asked: time.Now(), Admitted: true, Gates: []status.Gate{}}
	for _, s := range stages {
		asked := s.ask(ctx, current, next)
		out.Admitted = out.Admitted && asked.Outcome != Refused
		out.Gates = append(out.Gates, asked)
	}
	return out
}

// The classes of findings that any gate may have.
const (
	classTimeout = "timeout"
	classFailed  = "cannot_be_asked"
)

func (s Stage) ask(ctx context.Context, current, next Policies) status.Gate {
	begun := time.Now()
	judgement := s.judge(ctx, current, next)
	out := status.Gate{Name: s.Name, Mode: s.Mode, Outcome: Passed, Message: judgement.Message,
		Findings: judgement.Findings, Seconds: time.Since(begun).Seconds()}
	if len(out.Findings) > 0 {
		out.Outcome = Warned
		if s.Mode == gate.Refuse {
			out.Outcome = Refused
		}
		if out.Message == "" {
			out.Message = out.Findings[0].Message
		}
	}
	return out
}

// judge waits for Judge until ctx ends.
func (s Stage) judge(ctx context.Context, current, next Policies) Judgement {
	late := func() (j Judgement) {
		j.add(status.GateFinding{Class: classTimeout, Message: context.Cause(ctx).Error()})
		return j
	}
	if s.turn != nil {
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return late()
		}
	}
	judged := make(chan Judgement, 1)
	go func() {
		judgement, err := s.judgeSafely(ctx, current, next)
		if err != nil {
			judgement.addError(err)
		}
		if s.turn != nil {
			<-s.turn
		}
		judged <- judgement
	}()
	select {
	case j := <-judged:
		if ctx.Err() == nil {
			return j
		}
	case <-ctx.Done():
	}
	return late()
}

// judgeSafely makes an error of a panic: new policies and their tests must never end the process that serves.
func (s Stage) judgeSafely(ctx context.Context, current, next Policies) (j Judgement, err error) {
	defer func() {
		if r := recover(); r != nil {
			j, err = Judgement{}, fmt.Errorf("the gate failed (%T)", r)
		}
	}()
	return s.Judge(ctx, current, next)
}

func (j *Judgement) add(f status.GateFinding) { j.Findings = append(j.Findings, f) }

// addError adds why a gate cannot say anything, which is no pass.
func (j *Judgement) addError(err error) {
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		j.add(status.GateFinding{Class: classFailed, Message: err.Error()})
		return
	}
	for _, p := range problems {
		j.add(status.GateFinding{Class: classFailed, Message: p.Code + ": " + p.Message, File: p.File, Row: p.Row})
	}
}

// Problems are the reasons of the gates that refused set, a line each; nil when all admitted it.
func Problems(g status.Gates, set *bundle.Set) bundle.Problems {
	return problems(g, set, Refused)
}

// Warnings are the findings of the gates that only warn.
func Warnings(g status.Gates, set *bundle.Set) bundle.Problems {
	return problems(g, set, Warned)
}

// CodeRefused is the code of the problems of gates.
const CodeRefused = "gate_error"

func problems(g status.Gates, set *bundle.Set, outcome string) bundle.Problems {
	var out bundle.Problems
	for _, asked := range g.Gates {
		if asked.Outcome != outcome {
			continue
		}
		for _, f := range asked.Findings {
			p := bundle.Problem{File: f.File, Row: f.Row, Code: CodeRefused,
				Message: fmt.Sprintf("%s by gate %s: %s", verbs(outcome), asked.Name, f.Message)}
			if p.File == "" {
				p.File = set.Bundles[0].Name
			}
			if p.Row > 0 {
				p.Col = 1
			}
			out = append(out, p)
		}
	}
	return out.Sorted()
}

func verbs(outcome string) string {
	if outcome == Warned {
		return "doubted"
	}
	return "refused"
}

// Basis is what the judgement of stages rests on besides the policies: while it stays equal, so does what they say of
// the same policies.
func Basis(stages []Stage) string {
	basis := ""
	for _, s := range stages {
		if s.Basis != nil {
			basis += s.Name + "=" + s.Basis() + "\n"
		}
	}
	return basis
}
