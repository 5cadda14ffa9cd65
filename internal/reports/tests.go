package reports

import (
	"fmt"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// tests are what the tests of both versions say.
func tests(c *change.Change) []page.Section {
	t := c.Tests
	if t == nil {
		return nil
	}
	runs := page.Table{Columns: []string{"Tests", "Passed", "Failed", "Skipped", "Coverage"}}
	for _, r := range []struct {
		name string
		run  *change.Run
	}{{"before: old tests, old policies", t.Old}, {"old tests, new policies", t.OldOnNew},
		{"now: new tests, new policies", t.New}} {
		if r.run != nil {
			runs.Rows = append(runs.Rows, []page.Text{page.Say(r.name), page.Say(fmt.Sprint(r.run.Passed)),
				failed(r.run), page.Say(fmt.Sprint(r.run.Skipped)), percent(r.run.Coverage)})
		}
	}
	s := page.Section{ID: "tests", Title: "Tests and coverage", Blocks: []page.Block{runs}}
	for _, list := range []struct {
		title string
		tone  page.Tone
		tests []change.Test
	}{
		{"passed before and fail now", page.Bad, t.Broken},
		{"fail", page.Bad, t.Failing},
		{"old tests that the new policies fail", page.Warn, t.OldFailing},
		{"removed", page.Warn, t.Removed},
		{"changed together with a rule that they test", page.Warn, t.Rewritten},
		{"added", page.Neutral, t.Added},
	} {
		if len(list.tests) > 0 {
			s.Blocks = append(s.Blocks, testList(list.title, list.tone, list.tests))
		}
	}
	return []page.Section{s}
}

func failed(r *change.Run) page.Text {
	out := page.Say(fmt.Sprint(r.Failed))
	if r.Failed > 0 {
		out = page.Tagged(fmt.Sprint(r.Failed), page.Bad)
	}
	for _, p := range r.Problems {
		out = page.Join(out, page.Say("does not load:"), page.Code(at(p.File, p.Row)), page.Say(p.Message))
	}
	return out
}

func testList(title string, tone page.Tone, tests []change.Test) page.Table {
	t := page.Table{Caption: fmt.Sprintf("%d %s", len(tests), title), Tone: tone,
		Columns: []string{"Test", "Where", "Output"}}
	for _, test := range tests {
		var said page.Text
		for i, line := range test.Output {
			if i > 0 {
				said = append(said, page.Span{As: page.Break})
			}
			said = append(said, page.Code(line)...)
		}
		if len(test.Rules) > 0 {
			said = page.Join(page.Say("with"), page.Codes(test.Rules))
		}
		name := page.Join(page.Code(test.Name), page.Text{{Text: test.Group, As: page.Faint}})
		t.Rows = append(t.Rows, []page.Text{name, page.Code(at(test.File, test.Row)), said})
	}
	return t
}
