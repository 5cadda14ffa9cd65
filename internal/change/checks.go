package change

import (
	"context"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/lint"
	"github.com/authz-sidecar/sidecar/internal/review"
)

// checks are the findings of check that one version has and the other does not, wherever they moved to.
func (x comparison) checks(ctx context.Context) ([]Check, error) {
	before, err := x.from.checked(ctx)
	if err != nil {
		return nil, err
	}
	after, err := x.to.checked(ctx)
	if err != nil {
		return nil, err
	}
	out := append([]Check{}, newIn(after, before, x.to, x.from, Added)...)
	return append(out, newIn(before, after, x.from, x.to, Removed)...), nil
}

func (s Side) checked(ctx context.Context) ([]lint.Finding, error) {
	report, err := review.Run(ctx, review.Subject{Config: s.Config, TestDirs: s.TestDirs, Scope: review.Policies})
	return report.Findings, err
}

// newIn are the findings that only the first list has.
func newIn(these, those []lint.Finding, own, other Side, how How) []Check {
	known := map[string]int{}
	for _, f := range those {
		known[other.nameless(f)]++
	}
	var out []Check
	for _, f := range these {
		name := own.nameless(f)
		if known[name] > 0 {
			known[name]--
			continue
		}
		out = append(out, Check{how, f.File, f.Row, f.Col, f.Code, string(f.Level), f.Message})
	}
	return out
}

// nameless is a finding without its row, and without the name of the source that its file is in.
func (s Side) nameless(f lint.Finding) string {
	return strings.Join([]string{s.below(f.File), f.Code, f.Message}, "\n")
}

// below is the path of a file below its source, or below its directory of tests.
func (s Side) below(file string) string {
	for _, b := range s.Set.Bundles {
		if rest, ok := strings.CutPrefix(file, b.Name+"/"); ok {
			return rest
		}
	}
	for _, d := range s.TestDirs {
		if rest, ok := strings.CutPrefix(file, d+"/"); ok {
			return rest
		}
	}
	return file
}
