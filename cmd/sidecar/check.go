package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/review"
)

func checkCommand(std streams) *cobra.Command {
	var c checking
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Review configuration, policies and tests, exactly as serve loads them, and serve nothing",
		Long: `Review configuration, policies and tests, exactly as serve loads them, and serve nothing.

A PATH is a directory of Rego and data, or a bundle: a folder with a .manifest, or an archive (.tar.gz). Paths replace the
configured ones, and all else stays as sidecar.yaml says, where there is one. policies.sources are downloaded, unless they
are persisted. All findings are printed at once, one a line:

  file:row:col: code: message              an error: policies, tests or suites do not load, or are certainly wrong
  file:row:col: warning: code: message     probably wrong
  file:row:col: note: code: message        format, and files that are ignored

"sidecar rules CODE" explains a code. The last line, on standard error, says what was reviewed. Where the program regal
is on the PATH, its findings are added as regal/RULE.

With --online the authorization servers of the configuration are checked too: whether they can be reached, have the
configured name, accept the sidecar's credentials, have keys, and agree about the time.

With --gate the gates of policies.gate are asked instead, as a start or, with --against, a reload asks them. Gates that
are off are not asked; --log asks that of replay, with the decisions of logs in place of those in memory.

Exit status: 0 no error; 1 an error, or with --strict a warning, a doubt about a server or a difference in format; 2
wrong usage; 3 the policies do not load; 4 the gate of tests refuses, and no other (--gate); 5 another gate refuses.`,
		Example: "  sidecar check\n  sidecar check policies bundles/example --strict --format sarif\n" +
			"  sidecar check --config sidecar.yaml --online\n" +
			"  sidecar check --gate --against /etc/sidecar/policies --log decisions.jsonl",
		RunE: func(cmd *cobra.Command, paths []string) error {
			c.from.paths = paths
			return c.run(cmd.Context(), std)
		},
	}
	c.from.configFlag(cmd)
	cmd.Flags().StringVar(&c.from.entrypoint, "entrypoint", "",
		"`RULE` that must exist (default that of the configuration)")
	cmd.Flags().BoolVar(&c.online, "online", false, "ask the authorization servers too")
	chooseFlag(cmd, &c.format, "format", "form of the findings; sarif is SARIF 2.1.0", "text", "json", "sarif")
	chooseFlag(cmd, &c.regal, "regal", "whether Regal is run when it is on the PATH", "auto", "off")
	cmd.Flags().BoolVar(&c.gating.ask, "gate", false, "ask the gates that a reload would ask, and nothing else")
	cmd.Flags().StringSliceVar(&c.gating.against, "against", nil,
		"policies that decide now, `PATH,...`, for --gate to compare with")
	cmd.Flags().StringSliceVar(&c.gating.logs, "log", nil, "decision logs, `FILE,...`, for the gate of replay")
	cmd.Flags().BoolVar(&c.strict, "strict", false, "fail for warnings, doubts and differences in format too")
	return cmd
}

// checking is what the flags of check say.
type checking struct {
	from           source
	online, strict bool
	format, regal  string
	gating         gating
}

func (c *checking) run(ctx context.Context, std streams) error {
	if err := c.from.somethingHere(); err != nil {
		return err
	}
	if c.gating.ask {
		return c.askGates(ctx, std)
	}
	if len(c.gating.against)+len(c.gating.logs) > 0 {
		return &failure{err: errors.New("--against and --log are about gates"), hint: "add --gate", exit: exitUsage}
	}
	subject := c.subject()
	if subject.Config != nil {
		if err := app.Resolve(ctx, subject.Config); err != nil {
			return err
		}
	}
	if c.online && subject.Faults == nil && len(subject.Config.Issuers) == 0 {
		err := errors.New("no authorization server is configured")
		return &failure{err: err, hint: "name a configuration with --config", exit: exitUsage}
	}
	report, err := review.Run(ctx, subject)
	if err != nil {
		return err
	}
	if c.online && subject.Faults == nil && report.Summary.Loads {
		asked, err := review.Examine(ctx, subject.Config)
		if err != nil {
			return err
		}
		report.AddIssuers(asked)
	}
	if err := c.write(report, std); err != nil {
		return err
	}
	return c.outcome(report)
}

// subject is what the flags and arguments name.
func (c *checking) subject() review.Subject {
	s := review.Subject{File: c.from.found(), Scope: review.Everything}
	if s.Config, s.Faults = c.from.strict(); s.Faults != nil {
		s.Config = c.from.partly()
	}
	if len(c.from.paths) == 0 {
		s.TestDirs = c.from.testsBeside()
	}
	if len(c.from.paths) > 0 && c.from.file == "" {
		s.Scope = review.Policies
	}
	if c.regal == "auto" {
		s.Regal, _ = exec.LookPath("regal")
	}
	return s
}

// outcome is the failure that the findings are, or nil.
func (c *checking) outcome(r review.Report) error {
	s := r.Summary
	switch {
	case r.Unloadable:
		return &failure{err: errors.New("the policies do not load"), exit: exitNotCompile, quiet: true}
	case s.Errors > 0, c.strict && s.Warnings+s.Unformatted > 0:
		return &failure{err: errors.New("there are findings"), exit: exitFailed, quiet: true}
	}
	return threshold{c.strict}.outcome(s.Faults, s.Doubts, "tokens will not be accepted with this configuration")
}

func (c *checking) write(r review.Report, std streams) error {
	switch c.format {
	case "json":
		return r.WriteJSON(std.out)
	case "sarif":
		return r.WriteSARIF(std.out, version())
	}
	return writeReport(r, std)
}

// writeReport writes findings to standard output, and to standard error what was reviewed.
func writeReport(r review.Report, std streams) error {
	if err := r.WriteText(std.out); err != nil {
		return err
	}
	for _, i := range r.Issuers {
		fmt.Fprintf(std.out, "issuer %s:\n", i.Name)
		printFindings(std.out, i.Findings)
	}
	if r.Issuers != nil {
		fmt.Fprintln(std.out, countedFindings(r.Summary.Faults, r.Summary.Doubts))
	}
	if r.Summary.Loads {
		fmt.Fprintf(std.err, "sidecar: %s\n", r.Summary)
	}
	if r.Summary.Loads && len(r.Findings) > 0 {
		fmt.Fprintln(std.err, "sidecar: hint: sidecar rules CODE explains a finding")
	}
	return nil
}
