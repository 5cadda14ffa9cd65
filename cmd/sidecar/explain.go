package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/recorded"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
)

// explanation is what the arguments of explain say.
type explanation struct {
	source
	logs   []string
	format string
	full   bool
}

func explainCommand(std streams) *cobra.Command {
	var e explanation
	cmd := &cobra.Command{
		Use:   "explain DECISION_ID|FILE",
		Short: "Why a recorded decision was made",
		Long: `Find a decision in a decision log, print what was recorded, and decide the same request again by the present
policies, with its time and its random values. Printed are the rule that decides, the rule of each reason, and of each rule
that would have allowed the expression it stopped at, with its values; and whether the policies are those that decided
then, and answer otherwise now.

DECISION_ID may be the beginning of an id, or "last" for the last decision of the log. --log names the log, and may be
repeated for one that was rotated; files may be compressed by gzip, and - is standard input. Without --log it is
decision_log.file of the configuration. FILE is one event of a decision log, a JSON object.

A decision that no policy made (a token that may not be used, a malformed request, an authorization server that does
not answer) is explained by the cause that was recorded.

Exit status: 0 explained; 1 the decision was not found, or its event lacks the document; 2 wrong usage; 3 the policies do
not load.`,
		Example: "  sidecar explain 01M8H7RRM2055XBNXDSYH8ERF5 --log decisions.jsonl\n" +
			"  sidecar explain 01M8H7 --log decisions.jsonl --log decisions.jsonl.1.gz --policies policies",
		Args: takes(1, "one DECISION_ID or FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd.Context(), std, args[0]) },
	}
	e.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&e.logs, "log", nil, "decision log `FILE`, or - for standard input; may be repeated")
	chooseFlag(cmd, &e.format, "format", "form of the explanation", "text", "json")
	f.BoolVar(&e.full, "full", false, "show all rules and causes, not ten lines")
	return cmd
}

func (e *explanation) run(ctx context.Context, std streams, what string) error {
	event, err := e.event(what, std.in)
	if err != nil {
		return err
	}
	if !recorded.AskedPolicy(event) {
		return e.print(std.out, recorded.Of(event), nil)
	}
	if _, err := event.Document(); err != nil {
		return e.inexplicable(std.err, recorded.Of(event), err)
	}
	cfg, err := e.configured(std.err)
	if err != nil {
		return err
	}
	e.asDev(cfg)
	if e.entrypoint == "" {
		cfg.Decision.Entrypoint = event.Path // it need not be annotated
	} else {
		event.Path = cfg.Decision.Entrypoint
	}
	_, policy, err := app.Load(ctx, cfg)
	if err != nil {
		_ = e.print(std.err, recorded.Of(event), nil)
		return err
	}
	point := decision.New(cfg.Decision, &decision.Snapshot{Policy: policy}, decision.Deps{
		Input: cfg.InputRules(), Log: slog.New(slog.DiscardHandler),
	})
	report, err := recorded.Explain(ctx, point, event)
	if err != nil {
		return e.inexplicable(std.err, report, err)
	}
	places := slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles)
	if len(cfg.Policies.Embedded) > 0 {
		places = []string{"the example in the binary"}
	}
	return e.print(std.out, report, places)
}

// inexplicable prints what was recorded, and says why there is no more.
func (e *explanation) inexplicable(w io.Writer, r recorded.Report, why error) error {
	_ = e.print(w, r, nil)
	return &failure{err: fmt.Errorf("explain decision %q: %w", r.Event.DecisionID, why), exit: exitFailed}
}

func (e *explanation) print(w io.Writer, r recorded.Report, places []string) error {
	if e.format == "json" {
		b, err := r.JSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	text := r.Text(strings.Join(places, ", "))
	switch why := r.Why(); {
	case why == nil:
	case e.full:
		text += "\n" + why.Whole()
	default:
		text += "\n" + why.Brief("--full shows all")
	}
	_, err := io.WriteString(w, text)
	return err
}

// event finds the event that is named by an id, or by the file that holds it alone.
func (e *explanation) event(what string, stdin io.Reader) (*decisionlog.Event, error) {
	if len(e.logs) == 0 {
		// Ids have neither a dot nor a slash.
		if _, err := os.Stat(what); what == "-" || err == nil || strings.ContainsAny(what, "./") {
			return eventIn(what, stdin)
		}
		cfg, err := e.configured(io.Discard)
		if err != nil {
			return nil, err
		}
		if cfg.DecisionLog.File == "" {
			return nil, &failure{err: fmt.Errorf("find decision %q: no decision log is named", what), exit: exitUsage,
				hint: "name it with --log FILE; the sidecar writes one where decision_log.file is set, and sidecar " +
					"dev says where its own is"}
		}
		e.logs = []string{cfg.DecisionLog.File}
	}
	if what == "" {
		return nil, &failure{err: errors.New("find decision: the id is empty"), exit: exitUsage}
	}
	s := &decisionlog.Search{ID: what, Last: what == "last"}
	for _, name := range e.logs {
		if err := search(s, name, stdin); err != nil {
			return nil, err
		}
		if s.Done() {
			break
		}
	}
	return s.Event, e.missed(s)
}

func search(s *decisionlog.Search, name string, stdin io.Reader) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	return s.In(name, in)
}

// missed says why a search did not find one decision, or returns nil.
func (e *explanation) missed(s *decisionlog.Search) error {
	switch {
	case s.Event == nil && s.Unreadable != nil:
		return &failure{err: fmt.Errorf("find decision %q: %w", s.ID, s.Unreadable), exit: exitFailed,
			hint: "the line was cut short, or is no event of a decision log"}
	case s.Event == nil:
		f := &failure{err: fmt.Errorf("find decision %q: it is not in %s (%s)", s.ID,
			strings.Join(e.logs, ", "), counted(s.Lines, "line")), exit: exitFailed,
			hint: "name rotated files too, with one --log each"}
		if id, err := ulid.ParseStrict(s.ID); err == nil {
			f.hint = fmt.Sprintf("it was made at %s: name the file of that time, with one --log each",
				ulid.Time(id.Time()).UTC().Format(time.RFC3339))
		}
		return f
	case len(s.Others) > 0:
		ids := append([]string{s.Event.DecisionID}, s.Others...)
		return &failure{err: fmt.Errorf("find decision %q: several ids begin so: %q", s.ID, ids), exit: exitFailed,
			hint: "write more of the id"}
	}
	return nil
}

// eventIn reads the event that is all of a file.
func eventIn(name string, stdin io.Reader) (*decisionlog.Event, error) {
	b, err := readInput(name, stdin)
	if err != nil {
		return nil, err
	}
	event, err := decisionlog.ParseEvent(b)
	if err != nil {
		return nil, &failure{
			err: fmt.Errorf("read %s as one event of a decision log: %w", name, err), exit: exitFailed,
			hint: "to find one event in a log of many: sidecar explain DECISION_ID --log " + name,
		}
	}
	return event, nil
}
