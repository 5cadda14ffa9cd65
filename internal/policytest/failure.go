package policytest

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// failure is the expression of a test that does not hold; without a text, none is known.
type failure struct {
	place string
	// text is the expression with the values of its variables below it, as OPA draws them.
	text []string
}

func (f failure) lines() []string {
	if f.text == nil {
		return []string{"the test is not true: it is undefined, false, or no boolean"}
	}
	out := []string{f.place + ": does not hold: " + f.text[0]}
	for _, line := range f.text[1:] {
		out = append(out, "    "+line)
	}
	return out
}

// failedNames returns the names, for a filter, of the tests that need an explanation.
func failedNames(ran []*tester.Result, names map[string]string) []string {
	var failed []string
	for _, r := range ran {
		if r.Fail && r.Error == nil {
			failed = append(failed, names[nameOf(r)])
		}
	}
	return failed
}

// exactly is a filter for the tests of these names.
func exactly(names []string) string {
	quoted := make([]string, 0, len(names))
	for _, n := range names {
		quoted = append(quoted, regexp.QuoteMeta(n))
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// explain runs tests once more, slowly, and says of each which expression of it failed last.
func (t *regoTests) explain(ctx context.Context, names []string) (map[string]failure, error) {
	ran, err := t.collect(ctx, t.runner(names).EnableTracing(true))
	if err != nil {
		return nil, err
	}
	out := map[string]failure{}
	for _, r := range ran {
		for _, e := range slices.Backward(r.Trace) {
			if failedIn(e, r.Location.File) {
				out[nameOf(r)] = failureOf(e)
				break
			}
		}
	}
	return out, nil
}

// failedIn reports whether e is the failure of an expression of a file. The failure of an every is one of its body.
func failedIn(e *topdown.Event, file string) bool {
	x, ok := e.Node.(*ast.Expr)
	if !ok || e.Op != topdown.FailOp || x.Location == nil || x.Location.File != file {
		return false
	}
	_, every := x.Terms.(*ast.Every)
	return !every
}

func failureOf(e *topdown.Event) failure {
	x := e.Node.(*ast.Expr).BaseCogeneratedExpr()
	f := failure{place: fmt.Sprintf("%s:%d", x.Location.File, x.Location.Row)}
	var drawn bytes.Buffer
	if err := topdown.PrettyEvent(&drawn, e, topdown.PrettyEventOpts{PrettyVars: true}); err == nil {
		f.text = dedented(drawn.String())
	}
	if len(f.text) == 0 {
		text, _, _ := strings.Cut(string(x.Location.Text), "\n")
		f.text = []string{text}
	}
	return f
}

// dedented are the lines of text that are not blank, without what all of them begin with.
func dedented(text string) []string {
	var lines []string
	indent := -1
	for line := range strings.Lines(text) {
		line = strings.TrimRight(strings.ReplaceAll(line, "\t", " "), " \n")
		if line == "" || strings.TrimSpace(line) == "data: undefined" { // OPA says so of each undefined reference
			continue
		}
		lines = append(lines, line)
		if blank := len(line) - len(strings.TrimLeft(line, " ")); indent < 0 || blank < indent {
			indent = blank
		}
	}
	for i := range lines {
		lines[i] = lines[i][indent:]
	}
	return lines
}
