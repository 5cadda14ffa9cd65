package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/page"
	"github.com/authz-sidecar/sidecar/internal/replay"
	"github.com/authz-sidecar/sidecar/internal/reports"
)

// reviewing is what the flags of review say.
type reviewing struct {
	comparing
	logs, outputs, allowed []string
	budget                 time.Duration
	minimum                float64
}

func bundleReviewCommand(std streams) *cobra.Command {
	var r reviewing
	cmd := &cobra.Command{
		Use:   "review OLD NEW",
		Short: "Tell what a change of policies means, with requests that are newly allowed",
		Long: `Tell what a change of policies means: which requests are newly allowed, each with an example that both versions
decided, and recorded decisions that flip (--log); what the policies newly call, reach and read; what denied and is gone;
tests that fail, are gone, or were rewritten with the rules that they test; data, the access matrix, findings of check.
What matters most comes first.

OLD and NEW are directories of Rego and data, bundle folders and archives, with commas between several of one version.
Tests are those beside the policies, and in policy_test beside these. The tests of the old version are run against the
new policies too. The report ends with its digest, and with that of the version that it describes; it has the time and
the duration of the comparison, so that each report has a digest of its own. Its forms are text, JSON, Markdown for a pull
request, one page of HTML that needs nothing else, and SARIF for platforms that show findings beside the code.

A finding has an identifier. --allow names those that were reviewed, or a file of them, one a line.

Exit status: 0 nothing is wider and no test of the new version fails; 1 the comparison failed; 2 wrong usage; 3 a version
does not load; 5 a request is newly allowed, a test of the new version fails, or the coverage is below --min-coverage.`,
		Example: "  sidecar bundle review old/policies,old/bundles/example policies,bundles/example\n" +
			"  sidecar bundle review --old-ref main policies --output review.html,review.json",
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args, std) },
	}
	r.flags(cmd)
	f := cmd.Flags()
	chooseFlag(cmd, &r.format, "format", "form of the report", "pretty", "json", "markdown", "html", "sarif")
	f.StringSliceVarP(&r.outputs, "output", "o", nil, "`FILE,...` to write the report to besides; the form is that "+
		"of the "+
		"ending: .json, .txt, .md, .html, .sarif")
	f.StringSliceVar(&r.logs, "log", nil, "decision logs whose decisions both versions make anew, `FILE,...`; - is "+
		"standard input")
	f.StringSliceVar(&r.tests, "tests", nil, "directories of tests of the new version, `DIR,...`, instead of those "+
		"found")
	f.StringSliceVar(&r.oldTests, "old-tests", nil, "directories of tests of the old version, `DIR,...`")
	f.StringSliceVar(&r.allowed, "allow", nil, "findings that were reviewed: identifiers, or files of them, "+
		"`ID|FILE,...`")
	f.DurationVar(&r.budget, "timeout", time.Minute, "`DURATION` after which the search for requests ends")
	f.Float64Var(&r.minimum, "min-coverage", 0, "refuse when fewer than `PERCENT` of the rows are evaluated by tests")
	return cmd
}

func (r *reviewing) run(ctx context.Context, args []string, std streams) error {
	allowed, err := identifiers(r.allowed)
	if err != nil {
		return err
	}
	for _, name := range r.outputs {
		if _, err := formOf(name); err != nil {
			return err
		}
	}
	opts := change.Options{Depth: change.Full, Budget: r.budget, MinCoverage: r.minimum, Allowed: allowed}
	if len(r.logs) > 0 {
		logs, err := replay.Open(r.logs, std.in)
		if err != nil {
			return err
		}
		defer logs.Close()
		opts.Logs = logs
	}
	report, err := r.compare(ctx, args, std, opts)
	if err != nil {
		return err
	}
	for _, name := range r.outputs {
		if err := r.writeFile(name, report); err != nil {
			return err
		}
	}
	if err := r.write(std, report); err != nil {
		return err
	}
	switch {
	case report.Outcome == change.Unloadable:
		return &failure{err: errors.New("the new version does not load"), exit: exitNotCompile, quiet: true}
	case len(report.Refusing()) > 0:
		return &failure{err: errors.New("the change is refused"), exit: exitRefused, quiet: true}
	}
	return nil
}

// formOf is the form that the ending of a file names.
func formOf(name string) (string, error) {
	forms := map[string]string{".json": "json", ".txt": "pretty", ".md": "markdown", ".html": "html",
		".sarif": "sarif"}
	if form, ok := forms[strings.ToLower(filepath.Ext(name))]; ok {
		return form, nil
	}
	return "", &failure{err: fmt.Errorf("--output %s: the ending names no form", name), exit: exitUsage,
		hint: "write .json, .txt, .md, .html or .sarif"}
}

func (r *reviewing) writeFile(name string, report *change.Change) error {
	form, err := formOf(name)
	if err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return errors.Join(writeReview(f, report, form, 100), f.Close())
}

// writeReview writes a report in a form. width is that of the terminal.
func writeReview(w io.Writer, report *change.Change, form string, width int) error {
	switch form {
	case "json":
		return report.WriteJSON(w)
	case "markdown":
		return reports.Review(report).WriteMarkdown(w, page.CommentLimit)
	case "html":
		return reports.Review(report).WriteHTML(w)
	case "sarif":
		return reports.WriteSARIF(w, report, version())
	}
	return report.WriteText(w, width)
}

// shapedLikeID is what an identifier of a finding looks like: wider-e4ffad45990a.
var shapedLikeID = regexp.MustCompile(`^[a-z-]+-[0-9a-f]+$`)

// identifiers are those given, and those in the files that are named.
func identifiers(given []string) (out []string, err error) {
	for _, g := range given {
		raw, err := os.ReadFile(g)
		if err != nil {
			if !shapedLikeID.MatchString(g) {
				return nil, &failure{err: fmt.Errorf("--allow: %w", err), exit: exitUsage,
					hint: "name an identifier as the report has it, or a file with one a line"}
			}
			out = append(out, g)
			continue
		}
		for line := range strings.Lines(string(raw)) {
			id, _, _ := strings.Cut(line, "#")
			if id = strings.TrimSpace(id); id != "" {
				out = append(out, id)
			}
		}
	}
	return out, nil
}
