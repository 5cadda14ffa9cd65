package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
)

//go:embed page.css
var style string

//go:embed page.tmpl
var source string

// The most rows of a table and of a list that a page has.
const mostRows = 500

// WriteHTML writes the document as one page without references: its style is in it, and its content security policy
// admits this style and nothing else.
func (d Document) WriteHTML(w io.Writer) error {
	sum := sha256.Sum256([]byte(style))
	ids := d.ids()
	t, err := template.New("page").Funcs(template.FuncMap{
		"number":    Number,
		"kind":      Block.kind,
		"has":       func(id string) bool { return ids[id] },
		"show":      func(text string) []piece { return pieces(cut(text, mostSpan), "") },
		"narrow":    narrow,
		"breakable": breakable,
		"code":      func(text string) []piece { return pieces(cut(text, mostSource), "\n\t") },
		"spans":     func(t Text) []Span { return t.spans(mostSpan) },
		"sentence":  func(p Paragraph) Text { return Text(p) },
		"most":      mostOf,
		"title": func(columns []string, i int) string {
			if i < len(columns) {
				return columns[i]
			}
			return ""
		},
		"rows":   Diff.rows,
		"policy": func() string { return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'" },
		"style":  func() template.CSS { return template.CSS(style) }, //nolint:gosec // the style sheet of this package
		"pair":   func(a, b any) []any { return []any{a, b} },
	}).Parse(source)
	if err != nil {
		return err
	}
	return t.Execute(w, d)
}

// mostOf is a table without the rows that are too many, each with a cell for each column.
func mostOf(t Table) Table {
	if over := len(t.Rows) - mostRows; over > 0 {
		t.Rows, t.Left = t.Rows[:mostRows], t.Left+over
	}
	t.Rows = slices.Clone(t.Rows)
	for i, row := range t.Rows {
		t.Rows[i] = append(slices.Clone(row), make([]Text, max(0, len(t.Columns)-len(row)))...)
	}
	return t
}

// ids are the places that links can lead to.
func (d Document) ids() map[string]bool {
	out := map[string]bool{}
	add := func(blocks []Block) {
		for _, b := range blocks {
			switch b := b.(type) {
			case Table:
				out[b.ID] = true
			case Card:
				out[b.ID] = true
			}
		}
	}
	add(d.Head)
	for _, s := range d.Sections {
		out[s.ID] = true
		add(s.Blocks)
	}
	delete(out, "")
	return out
}
