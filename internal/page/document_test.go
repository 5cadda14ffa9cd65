package page_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/page"
)

// whole is a document with every kind of block, each of whose texts is text.
func whole(text string) page.Document {
	say := page.Text{{Text: text}, {Text: text, As: page.Value}, {Text: text, As: page.Strong}, {As: page.Break},
		{Text: text, As: page.Faint}, {Text: text, As: page.Tag, Tone: page.Bad, To: "a-table"}}
	source := page.Source{Caption: text, Text: text, Language: "sh"}
	blocks := []page.Block{
		page.Paragraph(say), page.List{say, say}, page.Facts{{Name: text, Value: say}},
		page.Table{ID: "a-table", Caption: text, Columns: []string{text, "two", "three"},
			Rows: [][]page.Text{{say, nil, say}, {say}}},
		page.Table{Columns: []string{"a", text}, Rows: [][]page.Text{{say, say}}, Left: 2},
		page.Diff{OldName: text, NewName: text, Old: text + "\na\nb\n", New: "a\n" + text + "b\n", OldRow: 7},
		page.Diff{NewName: text, New: text},
		page.Delta{GoneTitle: text, ComeTitle: text, Gone: []string{text}, Come: []string{text, text}},
		page.Columns{Left: []page.Block{source}, Right: []page.Block{source}},
		page.Folded{Title: say, Blocks: []page.Block{source}},
	}
	return page.Document{
		Title: text, Label: text, Tone: page.Bad, Verdict: text, Under: []page.Text{say},
		Counts: []page.Count{{N: 3, Of: text, Tone: page.Bad, To: "first"}, {Of: text, To: "absent"}},
		Head:   blocks[:4],
		Sections: []page.Section{
			{ID: "first", Title: text, Note: say, Count: 2, Blocks: []page.Block{
				page.Card{ID: "a-card", Tone: page.Warn, Label: text, Title: say, Note: say, Blocks: blocks}}},
			{ID: "second", Title: text, Fold: page.Closed, Blocks: []page.Block{
				page.Card{Title: say, Fold: page.Closed, Blocks: blocks[:1]}}},
		},
		End: []page.Fact{{Name: text, Value: say}},
	}
}

func htmlOf(t *testing.T, d page.Document) string {
	t.Helper()
	var b strings.Builder
	if err := d.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func markdownOf(t *testing.T, d page.Document, limit int) string {
	t.Helper()
	var b strings.Builder
	if err := d.WriteMarkdown(&b, limit); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hostile are texts of outsiders, by what they try.
func hostile() map[string]string {
	return map[string]string{
		"script":     `<script>alert(1)</script>`,
		"attribute":  `"></td><img src=x onerror=alert(1)>`,
		"style":      `</style><style>*{display:none}`,
		"comment":    `<!-- --> --!> <![CDATA[`,
		"template":   `{{.}} {{template "x"}}`,
		"ticks":      "a`b``c``` `",
		"strokes":    `a|b\|c\\|d|`,
		"markdown":   "# h\n\n- l\n1. n\n> q\n---\n**b** _i_ [l](http://x.example) ![i](x) ~~s~~",
		"fence":      "```\n~~~\n````sh\nrm\n",
		"mention":    "@admin @org/team #1 GH-1 org/repo#2 https://x.example www.x.example a@x.example :+1: :100:",
		"commit":     "0123456789abcdef0123456789abcdef01234567 deadbeef",
		"controls":   "a\x00b\x1b[31mc\rd\x7fe\u0085f\u2028g",
		"direction":  "a\u202eb\u2066c\u200fd\u061ce",
		"blanks":     "a\u200bb\u00a0c\u3164d\u2800e\ufefff\U000E0041g",
		"marks":      "a\u0301\u0301\u0301\u0301\u0301b",
		"not utf-8":  "a\xff\xfe\xc3b",
		"html":       `<details><summary>x</summary></details> &lt;b&gt; &#64;admin`,
		"math":       `$x$ $$y$$ [^1] [x]: http://x.example`,
		"setext":     "a\n===\nb\n---\n",
		"empty":      "",
		"very long":  strings.Repeat("x<", 500_000),
		"many lines": strings.Repeat("a\n", 500_000),
	}
}
