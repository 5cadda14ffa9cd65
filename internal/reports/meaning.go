package reports

import (
	"fmt"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// how says what became of something, in a frame.
func how(h change.How) page.Text {
	tone := page.Neutral
	switch h {
	case change.Added:
		tone = page.Warn
	case change.Changed:
		tone = page.Info
	case change.Removed, change.Moved, change.Restyled:
	}
	return page.Tagged(string(h), tone)
}

// reach is what entrypoints newly reach outside of the policy, or no longer.
func reach(c *change.Change) []page.Section {
	hosts := page.Table{Caption: "Hosts", Columns: []string{"Change", "Host", "Entrypoints", "Where"}}
	for _, h := range c.Hosts {
		host := page.Code(h.Host)
		if h.Host == "*" {
			host = page.Say("any host: the URL is computed")
		}
		hosts.Rows = append(hosts.Rows, []page.Text{how(h.How), host, lines(h.Entrypoints), places(h.Places)})
	}
	builtins := page.Table{Caption: "Builtins",
		Columns: []string{"Change", "Builtin", "Class", "Entrypoints", "Where"}}
	for _, b := range c.Builtins {
		class := page.Say(b.Class)
		if b.Class == "network" || b.Class == "machine" {
			class = page.Tagged(b.Class, page.Bad)
		}
		builtins.Rows = append(builtins.Rows, []page.Text{how(b.How), page.Code(b.Name), class,
			lines(b.Entrypoints), places(b.Places)})
	}
	return section("reach", "Reach: builtins and hosts", page.Say("By static analysis: what a rule "+
		"on which an entrypoint depends may call."), hosts, builtins)
}

// reads is what entrypoints newly read, or no longer.
func reads(c *change.Change) []page.Section {
	table := func(caption string, members []change.Member) page.Table {
		t := page.Table{Caption: caption, Columns: []string{"Change", "Member", "Entrypoints", "Where"}}
		for _, m := range members {
			t.Rows = append(t.Rows, []page.Text{how(m.How), page.Code(m.Path), lines(m.Entrypoints),
				places(m.Places)})
		}
		return t
	}
	return section("reads", "Reads: input and data", page.Say("By static analysis. In a name, _ "+
		"stands for a part that is computed."), table("Input", c.Input), table("Data", c.Reads))
}

// section is a section of the tables that have rows; none without such a table.
func section(id, title string, note page.Text, tables ...page.Table) []page.Section {
	s := page.Section{ID: id, Title: title, Note: note}
	for _, t := range tables {
		if len(t.Rows) > 0 {
			s.Blocks = append(s.Blocks, t)
			s.Count += len(t.Rows)
		}
	}
	if len(s.Blocks) == 0 {
		return nil
	}
	return []page.Section{s}
}

// rules are the definitions that differ, with both texts beside each other. Those that differ in form only, or are
// elsewhere, are a list.
func rules(c *change.Change) []page.Section {
	s := page.Section{ID: "rules", Title: "Rules", Count: len(c.Rules)}
	var form []page.Text
	for _, r := range c.Rules {
		if r.How == change.Moved || r.How == change.Restyled {
			form = append(form, page.Join(how(r.How), page.Code(r.Path), textAt(r.New)))
			continue
		}
		s.Blocks = append(s.Blocks, ruleCard(r))
	}
	if len(form) > 0 {
		s.Blocks = append(s.Blocks, page.Folded{Blocks: []page.Block{page.List(form)},
			Title: page.Say(plural(len(form), "rule that differs", "rules that differ") + " in form or place only")})
	}
	if len(s.Blocks) == 0 {
		return nil
	}
	return []page.Section{s}
}

func ruleCard(r change.Rule) page.Card {
	card := page.Card{Tone: page.Neutral, Label: string(r.How) + bearing(r), Title: page.Code(r.Path)}
	if r.How == change.Removed && r.Denies || r.How == change.Added && r.Bears == meaning.Allows {
		card.Tone = page.Warn
	}
	var note []string
	if len(r.Parts) > 0 {
		note = append(note, "What differs: "+strings.Join(r.Parts, ", ")+".")
	}
	if len(r.Entrypoints) > 0 {
		note = append(note, "Entrypoints that depend on it: "+strings.Join(r.Entrypoints, ", ")+".")
	} else {
		note = append(note, "No entrypoint depends on it.")
	}
	card.Note = page.Say(strings.Join(note, " "))
	if r.How == change.Changed && len(r.Dropped)+len(r.Gained) > 0 {
		card.Blocks = append(card.Blocks, page.Delta{GoneTitle: "Conditions only before", Gone: r.Dropped,
			ComeTitle: "Conditions only now", Come: r.Gained})
	}
	d := page.Diff{}
	d.OldName, d.Old, d.OldRow = written(r.Old)
	d.NewName, d.New, d.NewRow = written(r.New)
	card.Blocks = append(card.Blocks, d)
	if before, now := metadata(r.Old), metadata(r.New); before != now {
		card.Blocks = append(card.Blocks, page.Diff{OldName: "metadata", NewName: "metadata", Old: before, New: now})
	}
	return card
}

// bearing says in a word what it means that the rule holds.
func bearing(r change.Rule) string {
	switch {
	case r.Denies:
		return ", denies"
	case r.Bears == meaning.Allows:
		return ", allows"
	case r.Bears == meaning.Both:
		return ", allows and denies"
	}
	return ""
}

func written(t *meaning.Text) (name, text string, row int) {
	if t == nil {
		return "", "", 0
	}
	return at(t.File, t.Row), t.Rego, t.Row
}

func metadata(t *meaning.Text) string {
	if t == nil || t.Metadata == "" {
		return ""
	}
	return indented([]byte(t.Metadata))
}

func textAt(t *meaning.Text) page.Text {
	if t == nil {
		return nil
	}
	return page.Code(at(t.File, t.Row))
}

// data are the values that differ.
func data(c *change.Change) []page.Section {
	t := page.Table{Columns: []string{"Change", "Path", "Before", "Now", "Read by"}, Left: c.Data.Left}
	for _, v := range c.Data.Values {
		readers := lines(v.Readers)
		if len(v.Readers) == 0 {
			readers = page.Text{{Text: "no rule that decides", As: page.Faint}}
		}
		path := page.Code(v.Path)
		if v.File != "" {
			path = append(path, page.Span{As: page.Break},
				page.Span{Text: at(v.File, v.Row), As: page.Faint})
		}
		t.Rows = append(t.Rows, []page.Text{how(v.How), path, page.Code(string(v.Old)), page.Code(string(v.New)),
			readers})
	}
	return section("data", "Data", nil, t)
}

// settings are entrypoints, keys of the configuration, and findings of check.
func settings(c *change.Change) []page.Section {
	entrypoints := page.Table{Caption: "Entrypoints", Columns: []string{"Change", "Entrypoint", "Before", "Now"}}
	for _, e := range c.Entrypoints {
		entrypoints.Rows = append(entrypoints.Rows, []page.Text{how(e.How), page.Code(e.Path), page.Say(e.Old),
			page.Say(e.New)})
	}
	keys := page.Table{Caption: "Configuration", Columns: []string{"Key", "Before", "Now"}}
	for _, k := range c.Settings {
		keys.Rows = append(keys.Rows, []page.Text{page.Code(k.Key), page.Code(k.Old), page.Code(k.New)})
	}
	checks := page.Table{Caption: "Findings of check",
		Columns: []string{"Change", "Level", "Code", "Message", "Where"}}
	for _, f := range c.Checks {
		checks.Rows = append(checks.Rows, []page.Text{how(f.How), page.Say(f.Level), page.Code(f.Code),
			page.Say(f.Message), page.Code(at(f.File, f.Row))})
	}
	return section("settings", "Entrypoints, configuration, check", nil, entrypoints, keys, checks)
}

func percent(p *float64) page.Text {
	if p == nil {
		return page.Text{{Text: "not measured", As: page.Faint}}
	}
	return page.Say(fmt.Sprintf("%.1f %%", *p))
}
