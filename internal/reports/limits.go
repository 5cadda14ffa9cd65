package reports

import (
	"fmt"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// limits is what the comparison does not know, and how far it was taken.
func limits(c *change.Change) page.Section {
	s := page.Section{ID: "limits", Title: "Not decided, not covered"}
	if len(c.New.Problems)+len(c.Old.Problems) > 0 {
		t := page.Table{Caption: "Why a version does not compile",
			Columns: []string{"Version", "Where", "Code", "Message"}}
		for _, v := range []struct {
			name string
			of   change.Version
		}{{"now", c.New}, {"before", c.Old}} {
			for _, p := range v.of.Problems {
				t.Rows = append(t.Rows, []page.Text{page.Say(v.name), page.Code(at(p.File, p.Row)), page.Code(p.Code),
					page.Say(p.Message)})
			}
		}
		s.Blocks = append(s.Blocks, t)
	}
	if c.Decisions != nil {
		s.Blocks = append(s.Blocks, shapes(c)...)
	}
	if len(c.Open) > 0 {
		s.Blocks = append(s.Blocks, page.List(sayAll(c.Open)))
	}
	if len(s.Blocks) == 0 {
		s.Note = page.Say("Nothing is known to be left out.")
	}
	return s
}

// shapes says how far witnesses were looked for.
func shapes(c *change.Change) []page.Block {
	t := page.Table{Caption: "Shapes of requests: a method and a path, for every token, header and query",
		Columns: []string{"Entrypoint", "Shapes", "Proved the same", "Differ", "Not decided", "Not looked at",
			"Candidates"}}
	reasons := page.Table{Caption: "Why shapes are not decided",
		Columns: []string{"Entrypoint", "Shapes", "Why", "Example"}}
	var opaque []page.Text
	for _, e := range c.Decisions.Entrypoints {
		row := []page.Text{page.Code(e.Path)}
		for i, n := range []int{e.Shapes, e.Proved, e.Differing, e.Open, e.Left, e.Candidates} {
			cell := page.Say(fmt.Sprint(n))
			if (i == 3 || i == 4) && n > 0 {
				cell = page.Tagged(fmt.Sprint(n), page.Warn)
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
		for _, r := range e.Reasons {
			reasons.Rows = append(reasons.Rows, []page.Text{page.Code(e.Path), page.Say(fmt.Sprint(r.Shapes)),
				page.Say(r.Text), page.Code(r.Example)})
		}
		for _, rule := range e.Opaque {
			opaque = append(opaque, page.Code(rule))
		}
	}
	var out []page.Block
	if len(t.Rows) > 0 {
		out = append(out, t)
	}
	if len(reasons.Rows) > 0 {
		out = append(out, reasons)
	}
	if len(opaque) > 0 {
		out = append(out, page.Paragraph(page.Say("Partial evaluation could not look into these rules:")),
			page.List(opaque))
	}
	return append(out, page.Paragraph(page.Say("A difference that is shown is certain: both versions decided it. "+
		"Where none is shown for a shape that is not proved, none was found, and no more than that.")))
}
