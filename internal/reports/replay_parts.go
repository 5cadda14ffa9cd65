package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/page"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

// digest is that of the report: over its canonical JSON (RFC 8785).
func digest(r *replay.Report) string {
	text, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	canonical := jsontext.Value(text)
	if canonical.Canonicalize() != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// examples are decisions that changed, a card each.
func examples(r *replay.Report) []page.Section {
	s := page.Section{ID: "examples", Title: "Decisions that change", Count: r.Changes.Changed()}
	for _, e := range r.Examples {
		s.Blocks = append(s.Blocks, exampleCard(e))
	}
	if len(s.Blocks) == 0 {
		return nil
	}
	if len(r.Examples) < s.Count {
		s.Note = page.Say(fmt.Sprintf("%d examples of %d.", len(r.Examples), s.Count))
	}
	return []page.Section{s}
}

func exampleCard(e replay.Example) page.Card {
	c := page.Card{Tone: classTone(e.Class), Label: strings.ToUpper(className(e.Class)),
		Title: page.Code(e.Method + " " + e.Path)}
	who := page.Facts{}
	add := func(name string, value page.Text) {
		if len(value) > 0 {
			who = append(who, page.Fact{Name: name, Value: value})
		}
	}
	add("route", page.Code(e.Route))
	add("client", page.Code(e.Client))
	add("subject", page.Code(e.Subject))
	add("tenant", page.Code(e.Tenant))
	add("scopes", page.Codes(e.Scopes))
	decided := page.Facts{{Name: "was", Value: answer(e.Was, e.WasBy)}, {Name: "now", Value: answer(e.Now, e.NowBy)}}
	if len(e.Differs) > 0 {
		decided = append(decided, page.Fact{Name: "differs in", Value: page.Codes(e.Differs)})
	}
	found := page.Code(e.DecisionID)
	if e.Log != "" {
		found = page.Join(found, page.Say("in"), page.Code(at(e.Log, e.Line)))
	}
	decided = append(decided, page.Fact{Name: "decision", Value: page.Join(found, page.Say("at "+moment(e.Time)))})
	c.Blocks = append(c.Blocks, page.Columns{Left: []page.Block{decided}, Right: []page.Block{who}})
	if e.Why != "" {
		c.Blocks = append(c.Blocks, page.Folded{Title: page.Say("Why the candidate decides so"),
			Blocks: []page.Block{page.Source{Text: e.Why}}})
	}
	if e.Command != "" {
		c.Blocks = append(c.Blocks, page.Source{Text: e.Command, Language: "sh"})
	}
	return c
}

func answer(a replay.Answer, by *replay.Rule) page.Text {
	out := page.Join(page.Tagged(a.Kind, page.Neutral), page.Say(fmt.Sprint(a.Status)))
	for _, reason := range a.Reasons {
		out = page.Join(out, page.Code(reason.Code), page.Say(reason.Message))
	}
	if a.Cause != "" {
		out = page.Join(out, page.Say(a.Cause))
	}
	if by != nil {
		out = page.Join(out, page.Say("by"), page.Code(at(by.File, by.Row)))
	}
	return out
}

// breakdown counts the changed decisions by what they are about, in one table: a row for each name.
func breakdown(r *replay.Report) []page.Section {
	classes := slices.DeleteFunc(slices.Clone(replay.Classes[:]), func(c replay.Class) bool {
		return c == replay.Unchanged || r.Changes.Of(c) == 0
	})
	t := page.Table{Columns: []string{"By", "Name", "Decisions"}}
	for _, c := range classes {
		t.Columns = append(t.Columns, className(c))
	}
	add := func(group string, name page.Text, all int, counts replay.Counts) {
		row := []page.Text{{{Text: group, As: page.Faint}}, name, number(all)}
		t.Rows = append(t.Rows, append(row, classCells(classes, counts)...))
	}
	for _, group := range []struct {
		name  string
		table replay.Table
	}{{"route", r.By.Routes}, {"client", r.By.Clients}, {"tenant", r.By.Tenants}, {"scope", r.By.Scopes},
		{"reason", r.By.Reasons}, {"entrypoint", r.By.Entrypoints}} {
		for _, row := range group.table.Rows {
			name := page.Code(row.Name)
			if row.Name == "" {
				name = page.Text{{Text: "none", As: page.Faint}}
			}
			add(group.name, name, row.Decisions, row.Counts)
		}
		if n := group.table.LeftRows; n > 0 {
			t.Rows = append(t.Rows, []page.Text{{{Text: group.name, As: page.Faint}},
				page.Say(fmt.Sprintf("%d more, with %d changes", n, group.table.Left))})
		}
	}
	for _, row := range r.By.Rules.Rows {
		rule := page.Join(page.Code(row.Rule.Rule), page.Say(row.Part), page.Code(at(row.File, row.Row)))
		add("rule", rule, row.Counts.All(), row.Counts)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	s := page.Section{ID: "counts", Title: "Changes by what they are about", Blocks: []page.Block{t}}
	if rules := r.By.Rules; len(rules.Rows) > 0 {
		s.Note = page.Say(fmt.Sprintf("A rule is the one that decides now. %d of %d changed decisions were "+
			"explained.", rules.Explained, rules.Changed))
	}
	return []page.Section{s}
}

func classCells(classes []replay.Class, counts replay.Counts) []page.Text {
	var out []page.Text
	for _, c := range classes {
		switch n := counts.Of(c); {
		case n == 0:
			out = append(out, page.Text{{Text: "0", As: page.Faint}})
		case c == replay.DenyToAllow:
			out = append(out, page.Tagged(page.Number(n), page.Bad))
		default:
			out = append(out, number(n))
		}
	}
	return out
}

func number(n int) page.Text { return page.Say(page.Number(n)) }

// unreplayed are the events that were not decided anew, by why.
func unreplayed(r *replay.Report) []page.Section {
	obstacles := page.Table{Caption: "Not decided anew", Columns: []string{"Events", "Why", "What", "Example"}}
	for _, o := range r.NotReplayable {
		var details page.Text
		for _, d := range o.Details {
			details = page.Join(details, page.Code(d.Name), page.Say(fmt.Sprintf("(%d)", d.Count)))
		}
		obstacles.Rows = append(obstacles.Rows, []page.Text{number(o.Count), page.Say(o.Text), details,
			page.Code(o.Example.DecisionID)})
	}
	kinds := page.Table{Caption: "Decided by no policy", Columns: []string{"Events", "Kind"}}
	for _, k := range r.NotDecided {
		kinds.Rows = append(kinds.Rows, []page.Text{number(k.Count), page.Code(k.Name)})
	}
	out := section("not-replayed", "What was not replayed", nil, obstacles, kinds)
	for i := range out {
		out[i].Count = r.Totals.NotReplayable + r.Totals.NotDecided
	}
	return out
}

// coverage is what no recorded decision reached.
func coverage(r *replay.Report) []page.Section {
	c := r.Coverage
	s := page.Section{ID: "coverage", Title: "What the recorded decisions reach"}
	asked := page.Table{Columns: []string{"Entrypoint", "Recorded decisions"}}
	for _, e := range c.Entrypoints {
		n := number(e.Count)
		if e.Count == 0 {
			n = page.Tagged("none", page.Warn)
		}
		asked.Rows = append(asked.Rows, []page.Text{page.Code(e.Name), n})
	}
	if len(asked.Rows) > 0 {
		s.Blocks = append(s.Blocks, asked)
	}
	if c.Rules > 0 {
		s.Note = page.Say(fmt.Sprintf("%d of %d rules had a value for some of the %d decisions that were followed.",
			c.Reached,
			c.Rules, c.Decisions))
	}
	var list page.List
	for _, u := range c.Unreached {
		list = append(list, page.Join(page.Code(u.Rule), page.Say(u.Part), page.Code(at(u.File, u.Row))))
	}
	if len(list) > 0 {
		s.Blocks = append(s.Blocks, page.Folded{Title: page.Say(plural(len(list), "rule that no recorded decision "+
			"reached",
			"rules that no recorded decision reached")), Blocks: []page.Block{list}})
	}
	if len(s.Blocks) == 0 {
		return nil
	}
	return []page.Section{s}
}

// sources are the logs, and the policies that made their decisions.
func sources(r *replay.Report) []page.Section {
	logs := page.Table{Caption: "Logs", Columns: []string{"Log", "Lines", "Events", "Bytes",
		"First line that is no event"}}
	for _, l := range r.Logs {
		logs.Rows = append(logs.Rows, []page.Text{page.Code(l.Name), number(l.Lines),
			number(l.Events), number(int(l.Bytes)), page.Code(l.FirstBad)})
	}
	policies := page.Table{Caption: "Policies that made the recorded decisions",
		Columns: []string{"Decisions", "Revisions", "Digest", ""}}
	for _, p := range r.Recorded {
		same := page.Text(nil)
		if p.Candidate {
			same = page.Say("the candidate")
		}
		policies.Rows = append(policies.Rows, []page.Text{number(p.Decisions), page.Codes(p.Revisions),
			page.Code(p.Digest), same})
	}
	out := section("sources", "Logs and policies", nil, logs, policies)
	for i := range out {
		out[i].Count = 0
	}
	return out
}
