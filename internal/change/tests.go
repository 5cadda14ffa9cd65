package change

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// tests runs those of both versions, and those of the old version against the new policies. rules are those that
// differ.
func (x comparison) tests(ctx context.Context, rules []Rule) (*Tests, error) {
	before, err := x.from.tested(ctx)
	if err != nil {
		return nil, err
	}
	after, err := x.to.tested(ctx)
	if err != nil {
		return nil, err
	}
	across, err := x.across(ctx)
	if err != nil {
		return nil, err
	}
	t := &Tests{Old: before.run(), New: after.run(), OldOnNew: across.run(), Broken: []Test{}, Failing: []Test{},
		OldFailing: []Test{}, Removed: []Test{}, Added: []Test{}, Rewritten: []Test{}}
	for _, r := range after.report.Results {
		was, known := before.outcome(r)
		switch {
		case r.Outcome == policytest.Failed && was == policytest.Passed:
			t.Broken = append(t.Broken, testOf(r))
		case r.Outcome == policytest.Failed:
			t.Failing = append(t.Failing, testOf(r))
		}
		if !known {
			t.Added = append(t.Added, testOf(r))
		}
	}
	for _, r := range before.report.Results {
		if _, known := after.outcome(r); !known {
			t.Removed = append(t.Removed, testOf(r))
		}
	}
	for _, r := range across.report.Results {
		now, _ := after.outcome(r)
		was, _ := before.outcome(r)
		if r.Outcome == policytest.Failed && was == policytest.Passed && now != policytest.Failed {
			t.OldFailing = append(t.OldFailing, testOf(r))
		}
	}
	t.Rewritten = rewritten(before, after, rules)
	return t, nil
}

// tested is a run of tests, or why they do not load.
type tested struct {
	report   policytest.Report
	problems bundle.Problems
	outcomes map[string]policytest.Outcome
	none     bool // there are no tests to run
}

// tested runs the tests of one side.
func (s Side) tested(ctx context.Context) (tested, error) {
	return s.run(ctx, policytest.Source{Config: s.Config, Dirs: s.TestDirs}, s.Set, policytest.Options{Coverage: true})
}

// run runs tests with the policies of s, which are served. No test reaches the network.
func (s Side) run(
	ctx context.Context, src policytest.Source, served *bundle.Set, opts policytest.Options,
) (tested, error) {
	tests, err := policytest.LoadBeside(ctx, src, served, s.Policy)
	if problems, ok := errors.AsType[bundle.Problems](err); ok {
		return tested{problems: problems}, nil
	}
	if err != nil {
		return tested{}, err
	}
	report, err := tests.Run(ctx, opts)
	if err != nil {
		return tested{}, err
	}
	out := tested{report: report, outcomes: map[string]policytest.Outcome{}}
	for _, r := range report.Results {
		if out.outcomes[r.Group+"/"+r.Name] != policytest.Failed {
			out.outcomes[r.Group+"/"+r.Name] = r.Outcome
		}
	}
	return out, nil
}

func (t tested) outcome(r policytest.Result) (policytest.Outcome, bool) {
	o, ok := t.outcomes[r.Group+"/"+r.Name]
	return o, ok
}

func (t tested) run() *Run {
	if t.none {
		return nil
	}
	r := &Run{}
	for _, p := range t.problems {
		r.Problems = append(r.Problems, Problem(p))
	}
	for _, x := range t.report.Results {
		switch x.Outcome {
		case policytest.Passed:
			r.Passed++
		case policytest.Failed:
			r.Failed++
		case policytest.Skipped:
			r.Skipped++
		}
	}
	if c := t.report.Coverage; c != nil {
		percent := c.Percent()
		r.Coverage = &percent
	}
	return r
}

func testOf(r policytest.Result) Test {
	t := Test{Group: r.Group, Name: r.Name, File: r.File, Row: r.Row}
	if r.Outcome == policytest.Failed {
		t.Output = r.Output
	}
	return t
}

// rewritten are the tests of both versions whose text differs, and that name a rule which differs too. A case of a
// suite asks a whole entrypoint, and so names all its rules.
func rewritten(before, after tested, rules []Rule) []Test {
	out := []Test{}
	var changed []string
	for _, r := range rules {
		if r.How == Changed || r.How == Removed || r.How == Added {
			changed = append(changed, r.Path)
		}
	}
	changed = slices.Compact(changed)
	if len(changed) == 0 {
		return out
	}
	was, is := textsOf(before.report.Results), textsOf(after.report.Results)
	for _, r := range after.report.Results {
		key := r.Group + "/" + r.Name
		old, known := was[key]
		now := is[key]
		if !known || old.form == now.form || now.form == "" {
			continue
		}
		t := testOf(r)
		for _, path := range changed {
			if now.names == nil && strings.HasPrefix(r.Group, "data.") {
				continue
			}
			if now.names == nil || slices.ContainsFunc(now.names, func(n string) bool { return names(n, path) }) {
				t.Rules = append(t.Rules, path)
			}
		}
		if len(t.Rules) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// names reports whether a path that a test names is a rule, or the package around it, or a member of its value.
func names(named, rule string) bool {
	return named == rule || strings.HasPrefix(named, rule+".") || strings.HasPrefix(rule, named+".")
}

// testText is what a test is, in a form that overlooks format, and the paths that it names; nil for a case of a suite.
type testText struct {
	form  string
	names []string
}

// textsOf reads the files of tests once more.
func textsOf(results []policytest.Result) map[string]testText {
	out := map[string]testText{}
	byFile := map[string][]policytest.Result{}
	for _, r := range results {
		byFile[r.File] = append(byFile[r.File], r)
	}
	for file, list := range byFile {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if strings.HasSuffix(file, ".rego") {
			regoTexts(file, raw, list, out)
		} else {
			caseTexts(string(raw), list, out)
		}
	}
	return out
}

func regoTexts(file string, raw []byte, list []policytest.Result, into map[string]testText) {
	for _, d := range meaning.DefinitionsIn(file, raw) {
		for _, r := range list {
			if d.Text.Row == r.Row {
				var form strings.Builder
				for _, part := range []string{meaning.PartValue, meaning.PartConditions, meaning.PartElse} {
					form.WriteString(d.Parts[part])
				}
				into[r.Group+"/"+r.Name] = testText{form.String(), d.Mentions}
			}
		}
	}
}

// caseTexts takes for the text of a case the lines from its row to the next case, without comments.
func caseTexts(raw string, list []policytest.Result, into map[string]testText) {
	lines := strings.Split(raw, "\n")
	for _, r := range list {
		end := len(lines)
		for _, other := range list {
			if other.Row > r.Row {
				end = min(end, other.Row-1)
			}
		}
		var form strings.Builder
		for i := r.Row - 1; i < end && i >= 0; i++ {
			line := strings.TrimSpace(lines[i])
			top := i > r.Row-1 && line != "" && lines[i][0] != ' ' && lines[i][0] != '-'
			if top {
				break
			}
			if line != "" && !strings.HasPrefix(line, "#") {
				form.WriteString(line + "\n")
			}
		}
		into[r.Group+"/"+r.Name] = testText{form: form.String()}
	}
}
