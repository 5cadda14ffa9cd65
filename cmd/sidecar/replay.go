package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

// replaying is what the flags of replay say.
type replaying struct {
	candidate        source
	baseline         []string
	logs             []string
	since, until     string
	format           string
	outputs          []string
	denyToAllow      limitFlag
	allowToDeny      limitFlag
	errors, unknowns limitFlag
	allowEmpty       bool
	options          replay.Options
}

func replayCommand(std streams) *cobra.Command {
	r := replaying{denyToAllow: limitFlag{"0"}, errors: limitFlag{"0"}}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Decide recorded decisions anew by other policies, and tell what changes",
		Long: `Decide recorded decisions anew by other policies, and tell what changes.

Events of a decision log hold the document that the policies read, the time, and the id from which random values follow:
the policies that made the log answer the same again, in every member. --log names the log, and may be repeated; files
may be compressed by gzip, and - is standard input. Without --log it is decision_log.file of the configuration.

The candidate is compared with what the log says, or with --baseline: policies that decide anew too, for a log that
other versions made. Decisions that change are counted by class, from deny to allow first, and by route, client, tenant,
scope, reason and rule. Decisions that no policy made, such as those about a token that may not be used, are counted
apart; so is what cannot be replayed, with its cause: masked members that the policies may read, no input, an entrypoint
that is gone, a builtin that reads the network, which is never called.

The limits are a gate. A number is of decisions, and with % a share of those that were replayed. A replay that found
nothing to replay fails, unless --allow-empty is set.

Exit status: 0 all limits are kept; 5 a limit is not kept; 1 a log cannot be read, nothing was replayed, or the replay
was interrupted; 2 wrong usage; 3 the policies do not load.`,
		Example: "  sidecar replay --log decisions.jsonl --candidate policies\n" +
			"  sidecar replay --log decisions.jsonl.1.gz --log decisions.jsonl --candidate new --baseline policies " +
			"\\\n" +
			"    --since 24h --max-allow-to-deny 0.1% --output report.json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), std) },
	}
	r.candidate.configFlag(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&r.logs, "log", nil, "decision logs, `FILE,...`; - is standard input")
	f.StringSliceVar(&r.candidate.paths, "candidate", nil,
		"policy directories and bundles, `PATH,...`, that decide anew (default the configured ones)")
	f.StringSliceVar(&r.baseline, "baseline", nil,
		"policy directories and bundles, `PATH,...`, to compare with (default what the log says)")
	r.selectionFlags(cmd)
	f.Var(&r.denyToAllow, "max-deny-to-allow", "most decisions that may change from deny to allow, `N|N%`")
	f.Var(&r.allowToDeny, "max-allow-to-deny", "most decisions that may change from allow to deny, `N|N%` (default "+
		"no limit)")
	f.Var(&r.errors, "max-errors",
		"most decisions, `N|N%`, for which the candidate gives no verdict or has no entrypoint")
	f.Var(&r.unknowns, "max-not-replayable", "most decisions that may not be replayable, `N|N%` (default no limit)")
	f.BoolVar(&r.allowEmpty, "allow-empty", false, "pass when there is nothing to replay")
	f.IntVar(&r.options.Examples, "examples", 3, "`N` examples of each class")
	f.IntVar(&r.options.Explain, "explain-changes", 200,
		"explain `N` of the changed decisions, for the rules behind them")
	chooseFlag(cmd, &r.format, "format", "form of the report on standard output", "pretty", "json", "markdown",
		"html")
	f.StringSliceVarP(&r.outputs, "output", "o", nil, "`FILE,...` to write the report to besides; the form is that of "+
		"the ending: .json, .txt, .md, .html")
	return cmd
}

func (r *replaying) selectionFlags(cmd *cobra.Command) {
	f, o := cmd.Flags(), &r.options
	f.StringVar(&r.since, "since", "", "only decisions from `TIME` on: 2026-11-20T12:00:00Z, 2026-11-20, or 24h for "+
		"ago")
	f.StringVar(&r.until, "until", "", "only decisions before `TIME`")
	f.IntVar(&o.Last, "last", 0, "only the last `N` decisions")
	f.IntVar(&o.Sample, "sample", 0, "only `N` decisions, chosen evenly; the same log gives the same ones")
	f.StringArrayVar(&o.Filter.Entrypoints, "entrypoint", nil, "only decisions of this `PATH`; may be repeated")
	f.StringArrayVar(&o.Filter.Clients, "client", nil,
		"only decisions about tokens of this client `ID`; may be repeated")
	f.StringArrayVar(&o.Filter.Tenants, "tenant", nil, "only decisions about tokens of this `TENANT`; may be repeated")
	f.StringArrayVar(&o.Filter.Routes, "route", nil,
		"only decisions about this `ROUTE`: an id of data.routes, or 'GET /orders/*'; may be repeated")
	cmd.MarkFlagsMutuallyExclusive("last", "sample")
}

func (r *replaying) run(ctx context.Context, std streams) error {
	if err := r.prepare(); err != nil {
		return err
	}
	cfg, err := r.candidate.configured(std.err)
	if err != nil {
		return err
	}
	if len(r.logs) == 0 {
		if cfg.DecisionLog.File == "" {
			return &failure{err: errors.New("no decision log is named"), exit: exitUsage,
				hint: "name it with --log FILE; the sidecar writes one where decision_log.file is set"}
		}
		r.logs = []string{cfg.DecisionLog.File}
	}
	events, err := replay.Open(r.logs, std.in)
	if err != nil {
		return err
	}
	defer events.Close()
	if err := r.load(ctx, std.err, cfg, events.First()); err != nil {
		return err
	}
	report, err := r.replay(ctx, events, std)
	if err := errors.Join(err, r.write(report, std.out)); err != nil {
		return err
	}
	return r.outcome(report)
}

func (r *replaying) replay(ctx context.Context, events replay.Events, std streams) (*replay.Report, error) {
	if os.Getenv("GOGC") == "" {
		// Events are garbage as soon as they are counted: a third of the time goes into collecting them otherwise.
		defer debug.SetGCPercent(debug.SetGCPercent(4 * defaultPercent))
	}
	line := newProgress(std)
	defer line.done()
	r.options.Progress = replayProgress(line)
	return replay.Run(ctx, events, r.options)
}

// prepare reads the flags.
func (r *replaying) prepare() error {
	o := &r.options
	for name, f := range map[string]struct {
		text string
		to   *time.Time
	}{"since": {r.since, &o.Since}, "until": {r.until, &o.Until}} {
		var err error
		if *f.to, err = moment(name, f.text); err != nil {
			return err
		}
	}
	for name, n := range map[string]int{"last": o.Last, "sample": o.Sample, "examples": o.Examples,
		"explain-changes": o.Explain} {
		if n < 0 {
			return &failure{err: fmt.Errorf("--%s: %d is less than 0", name, n), exit: exitUsage}
		}
	}
	if o.Explain == 0 {
		o.Explain = -1
	}
	o.Limits = replay.Limits{DenyToAllow: r.denyToAllow.limit(), AllowToDeny: r.allowToDeny.limit(),
		Errors: r.errors.limit(), NotReplayable: r.unknowns.limit(), Empty: replay.Empty(r.allowEmpty)}
	for _, name := range r.outputs {
		if writerFor(name) == nil {
			return &failure{err: fmt.Errorf("--output %q: the name says no form of a report", name), exit: exitUsage,
				hint: "end it with " + strings.Join(forms(), ", ")}
		}
	}
	return nil
}

// load loads both sides. Where there is no configuration, the entrypoint is that of the log.
func (r *replaying) load(ctx context.Context, warn io.Writer, cfg *config.Config, entrypoint string) error {
	var err error
	if r.options.Candidate, err = r.side(ctx, &r.candidate, cfg, entrypoint); err != nil {
		return err
	}
	if places := cfg.Policies; len(places.Paths)+len(places.Bundles) > 0 {
		r.options.ExplainFlags = []string{"--policies", strings.Join(policyPaths(cfg), ",")}
	}
	if r.candidate.file != "" {
		r.options.ExplainFlags = append(r.options.ExplainFlags, "--config", r.candidate.file)
	}
	if len(r.baseline) == 0 {
		return nil
	}
	other := source{file: r.candidate.file, paths: r.baseline}
	if cfg, err = other.configured(warn); err != nil {
		return err
	}
	if r.options.Baseline, err = r.side(ctx, &other, cfg, entrypoint); err != nil {
		return fmt.Errorf("load the baseline: %w", err)
	}
	return nil
}

// evaluationTime is the deadline of an evaluation: a pipeline may be busy.
const evaluationTime = 5 * time.Second

func (r *replaying) side(
	ctx context.Context, from *source, cfg *config.Config, entrypoint string,
) (replay.Side, error) {
	from.asDev(cfg)
	cfg.Engine.Deadline = max(cfg.Engine.Deadline, evaluationTime)
	if from.found() == "" {
		cfg.Decision.Entrypoint = entrypoint // it need not be annotated
	}
	set, policy, err := app.Load(ctx, cfg)
	if from.found() == "" && isEntrypointGone(err) {
		cfg.Decision.Entrypoint = "" // the report says that it is gone
		set, policy, err = app.Load(ctx, cfg)
	}
	return replay.Side{Name: policiesName(cfg), Set: set, Policy: policy}, err
}

// isEntrypointGone reports whether policies do not load for an entrypoint alone.
func isEntrypointGone(err error) bool {
	problems, ok := errors.AsType[bundle.Problems](err)
	return ok && !slices.ContainsFunc(problems, func(p bundle.Problem) bool { return p.Code != check.CodeEntrypoint })
}

// outcome is the exit status of a report.
func (r *replaying) outcome(report *replay.Report) error {
	switch {
	case report.Partial != "":
		return &failure{err: fmt.Errorf("the replay is partial: %s", report.Partial), exit: exitFailed}
	case !report.Kept():
		return &failure{err: errors.New("a limit is not kept"), exit: exitRefused, quiet: true}
	case !report.Passed:
		n := report.Totals
		why := fmt.Sprintf("of %s, no policy decided %d, and %d are not replayable", counted(n.Events, "event"),
			n.NotDecided, n.NotReplayable)
		if n.Events == 0 {
			why = fmt.Sprintf("%s: no line is an event of a decision log", strings.Join(r.logs, ", "))
		} else if n.Outside == n.Events {
			why = fmt.Sprintf("none of %s is among what was asked for", counted(n.Events, "event"))
		}
		return &failure{err: errors.New("nothing was replayed: " + why), exit: exitFailed,
			hint: "--allow-empty passes without a decision"}
	}
	return nil
}
