package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/page"
	"github.com/authz-sidecar/sidecar/internal/replay"
	"github.com/authz-sidecar/sidecar/internal/reports"
)

// limitFlag is a limit on a count, as it was written; "" is none.
type limitFlag struct{ text string }

func (l *limitFlag) String() string { return l.text }

// Type stands behind the name of the flag in the help.
func (l *limitFlag) Type() string { return "N|N%" }

func (l *limitFlag) Set(text string) error {
	if _, err := replay.ParseLimit(text); err != nil && text != "none" {
		return fmt.Errorf("%w, or none", err)
	}
	l.text = text
	return nil
}

func (l *limitFlag) limit() *replay.Limit {
	limit, err := replay.ParseLimit(l.text)
	if err != nil {
		return nil
	}
	return &limit
}

// moment is a time that a flag says: a time, a date, or how long ago. It is the zero time for "".
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &failure{err: fmt.Errorf("--%s %q is no time", flag, text), exit: exitUsage,
		hint: "write 2026-11-20T12:00:00Z, 2026-11-20, or 24h for the time so long ago"}
}

// policyPaths are the paths of the policies of cfg.
func policyPaths(cfg *config.Config) []string {
	return slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles)
}

// policiesName is what reports call the policies of cfg.
func policiesName(cfg *config.Config) string {
	if len(cfg.Policies.Embedded) > 0 {
		return "the example in the binary"
	}
	return strings.Join(policyPaths(cfg), ",")
}

// reportForms are how a report is written, by the end of the name of a file.
func reportForms() map[string]func(*replay.Report, io.Writer) error {
	return map[string]func(*replay.Report, io.Writer) error{
		".txt": (*replay.Report).WriteText, ".json": (*replay.Report).WriteJSON,
		".md": func(r *replay.Report, w io.Writer) error {
			return reports.Replay(r).WriteMarkdown(w, page.CommentLimit)
		},
		".html": func(r *replay.Report, w io.Writer) error { return reports.Replay(r).WriteHTML(w) },
	}
}

// forms are the ends of names that reportForms knows, sorted.
func forms() (out []string) {
	for end := range reportForms() {
		out = append(out, end)
	}
	slices.Sort(out)
	return out
}

func writerFor(name string) func(*replay.Report, io.Writer) error {
	return reportForms()[filepath.Ext(name)]
}

// write writes a report to standard output and to files.
func (r *replaying) write(report *replay.Report, stdout io.Writer) error {
	if report == nil {
		return nil
	}
	for _, name := range r.outputs {
		var b bytes.Buffer
		if err := writerFor(name)(report, &b); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil { //nolint:gosec // a report, for those who review
			return err
		}
	}
	end := map[string]string{"pretty": ".txt", "json": ".json", "markdown": ".md", "html": ".html"}[r.format]
	return reportForms()[end](report, stdout)
}
