package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/gate/stage"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// gating is what the flags of check say about gates.
type gating struct {
	ask     bool
	against []string
	logs    []string
}

// compileName is what the report calls reading and compiling, which come before the gates.
const compileName = "compile"

// askGates asks the gates of the configuration about the policies, as a reload does.
func (c *checking) askGates(ctx context.Context, std streams) error {
	if c.online || c.strict || c.format == "sarif" {
		return &failure{err: errors.New("--gate is given, and --online, --strict or --format sarif too"),
			exit: exitUsage,
			hint: "run sidecar check twice: with --gate, and without"}
	}
	cfg, err := c.from.load(std.err)
	if err != nil {
		return err
	}
	if replay := &cfg.Policies.Gate.Replay; len(c.gating.logs) > 0 && replay.Mode == gate.Off {
		replay.Mode = gate.Refuse
	}
	var current stage.Policies
	if len(c.gating.against) > 0 {
		before := *cfg
		setPaths(&before, c.gating.against)
		if current.Set, current.Policy, err = app.Load(ctx, &before); err != nil {
			return &failure{err: fmt.Errorf("load the policies to compare with: %w", err), exit: exitNotCompile}
		}
	}
	report, err := c.gateReport(ctx, cfg, current)
	if err != nil {
		return err
	}
	if err := c.writeGates(report, std); err != nil {
		return err
	}
	return gateOutcome(report)
}

// gateReport is what the stages say: first compiling, then the gates.
func (c *checking) gateReport(ctx context.Context, cfg *config.Config, current stage.Policies) (status.Gates, error) {
	begun := time.Now()
	set, policy, err := app.Load(ctx, cfg)
	problems, ok := errors.AsType[bundle.Problems](err)
	if err != nil && !ok {
		return status.Gates{}, err
	}
	compiled := status.Gate{Name: compileName, Mode: gate.Refuse, Outcome: stage.Passed,
		Seconds: time.Since(begun).Seconds()}
	if err != nil {
		compiled.Outcome, compiled.Message = stage.Refused, "the policies do not load"
		for _, p := range problems {
			compiled.Findings = append(compiled.Findings, status.GateFinding{Class: p.Code, Message: p.Message,
				File: p.File, Row: p.Row})
		}
		return status.Gates{Asked: begun, Gates: []status.Gate{compiled}}, nil
	}
	compiled.Message = "revision " + policy.Revision()
	said := stage.Ask(ctx, stage.All(cfg, stage.Deps{Logs: c.gating.logs}), cfg.Policies.Gate.Timeout, current,
		stage.Policies{Set: set, Policy: policy})
	said.Gates = append([]status.Gate{compiled}, said.Gates...)
	return said, ctx.Err()
}

// gateOutcome is the failure that a report is, or nil.
func gateOutcome(report status.Gates) error {
	if report.Admitted {
		return nil
	}
	exit := exitTestsFailed
	for _, g := range report.Gates {
		switch {
		case g.Outcome != stage.Refused || g.Name == gate.TestsName:
		case g.Name == compileName:
			exit = exitNotCompile
		default:
			exit = exitRefused
		}
	}
	return &failure{err: errors.New("the policies are refused"), exit: exit, quiet: true}
}

func (c *checking) writeGates(report status.Gates, std streams) error {
	if c.format == "json" {
		e := json.NewEncoder(std.out)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	asked := map[string]bool{}
	for _, g := range report.Gates {
		asked[g.Name] = true
		fmt.Fprintf(std.out, "%-12s  %-7s  %5.2f s  %s\n", g.Name, g.Outcome, g.Seconds,
			telemetry.Visible([]byte(g.Message)))
		for _, f := range g.Findings {
			fmt.Fprintf(std.out, "    %s\n", telemetry.Visible([]byte(place(f)+f.Message)))
			for _, e := range f.Examples {
				fmt.Fprintf(std.out, "        %s  %s: %s, was %s\n", telemetry.Visible([]byte(e.DecisionID)),
					telemetry.Visible([]byte(e.Entrypoint)), e.Now, e.Was)
			}
		}
	}
	for _, name := range gate.Names {
		if len(report.Gates) > 1 && !asked[name] {
			fmt.Fprintf(std.out, "%-12s  off               policies.gate.%s.mode\n", name, name)
		}
	}
	return nil
}

func place(f status.GateFinding) string {
	switch {
	case f.File == "":
		return ""
	case f.Row == 0:
		return f.File + ": "
	}
	return fmt.Sprintf("%s:%d: ", f.File, f.Row)
}
