package page

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// CommentLimit is how many characters a comment of GitHub may have.
const CommentLimit = 65_536

// The most rows of a table, lines of a source, and characters of a span that a comment has.
const (
	commentRows  = 40
	commentLines = 80
	commentSpan  = 300
)

// WriteMarkdown writes the document as GitHub Flavored Markdown of at most limit characters. What does not fit is left
// out from the end, and named. What outsiders wrote becomes no heading, link, mention or HTML.
func (d Document) WriteMarkdown(w io.Writer, limit int) error {
	end := d.markdownEnd()
	c := comment{left: limit - utf8.RuneCountInString(end) - 400} // for the names of what is left out
	c.add(d.markdownHead())
	for _, b := range d.Head {
		if !c.add(markdownBlock(b)) && !slices.Contains(c.out, "the summary") {
			c.out = append(c.out, "the summary")
		}
	}
	for _, s := range d.Sections {
		c.section(s)
	}
	if len(c.out) > 0 {
		fmt.Fprintf(&c.text, "> **Cut:** a comment has no room for all. Left out, as a whole or in part: %s. The "+
			"page of HTML "+
			"and the JSON have all.\n\n", cut(markdownText(Say(strings.Join(c.out, "; "))), 300))
	}
	_, err := io.WriteString(w, c.text.String()+end)
	return err
}

// comment is a text of bounded length.
type comment struct {
	text strings.Builder
	left int
	// out are the titles of sections that do not fit.
	out []string
}

// add adds a part if it fits.
func (c *comment) add(part string) bool {
	n := utf8.RuneCountInString(part)
	if n > c.left {
		return false
	}
	c.left -= n
	c.text.WriteString(part)
	return true
}

// section adds a section with those of its blocks that fit. A folded one is within a details element.
func (c *comment) section(s Section) {
	title := markdownText(Say(s.Title))
	if s.Count > 0 {
		title += " (" + Number(s.Count) + ")"
	}
	head, foot := "### "+title+"\n\n", ""
	if s.Fold != Open {
		head, foot = "<details><summary>"+htmlText(Say(s.Title))+"</summary>\n\n", "</details>\n\n"
	}
	if len(s.Note) > 0 {
		head += markdownText(s.Note) + "\n\n"
	}
	c.left -= len(foot)
	if !c.add(head) {
		c.left += len(foot)
		c.out = append(c.out, s.Title)
		return
	}
	for _, b := range s.Blocks {
		if !c.add(markdownBlock(b)) {
			c.out = append(c.out, s.Title)
			break
		}
	}
	c.text.WriteString(foot)
}

func (d Document) markdownHead() string {
	var b strings.Builder
	b.WriteString("## " + markdownText(Say(d.Verdict)) + "\n\n")
	b.WriteString("**" + markdownText(Say(strings.TrimSuffix(d.Title+": "+d.Label, ": "))) + "**")
	for i, c := range d.Counts {
		fmt.Fprintf(&b, "%s**%s** %s", []string{" - ", ", "}[min(i, 1)], Number(c.N), markdownText(Say(c.Of)))
	}
	b.WriteString("\n\n")
	for _, u := range d.Under {
		b.WriteString(markdownText(u) + "\n\n")
	}
	return b.String()
}

func (d Document) markdownEnd() string {
	if len(d.End) == 0 {
		return ""
	}
	return "---\n\n" + markdownBlock(Facts(d.End))
}

func markdownBlock(b Block) string {
	switch b := b.(type) {
	case Paragraph:
		return markdownText(Text(b)) + "\n\n"
	case List:
		return markdownList(b)
	case Facts:
		return markdownFacts(b)
	case Table:
		return markdownTable(b)
	case Source:
		return captioned(b.Caption) + fence(b.Language, head(visible(cut(b.Text, mostSource), "\n\t")))
	case Diff:
		return markdownDiff(b)
	case Delta:
		return captioned(deltaTitle(b)) + fence("diff", delta(b))
	case Card:
		return markdownCard(b)
	case Folded:
		return "<details><summary>" + htmlText(b.Title) + "</summary>\n\n" + markdownBlocks(b.Blocks) +
			"</details>\n\n"
	case Columns:
		return markdownBlocks(b.Left) + markdownBlocks(b.Right)
	}
	return ""
}

func markdownBlocks(blocks []Block) string {
	var b strings.Builder
	for _, block := range blocks {
		b.WriteString(markdownBlock(block))
	}
	return b.String()
}

func markdownList(list List) string {
	var b strings.Builder
	for i, item := range list {
		if i == commentRows {
			fmt.Fprintf(&b, "- and %d more\n", len(list)-i)
			break
		}
		b.WriteString("- " + markdownText(item) + "\n")
	}
	return b.String() + "\n"
}

func markdownFacts(list Facts) string {
	var b strings.Builder
	for _, f := range list {
		b.WriteString("- " + markdownText(Say(f.Name)) + ": " + markdownText(f.Value) + "\n")
	}
	return b.String() + "\n"
}

func markdownTable(t Table) string {
	var b strings.Builder
	b.WriteString(captioned(t.Caption))
	row := func(cells []string) {
		for len(cells) < len(t.Columns) {
			cells = append(cells, "")
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	var heads, rule []string
	for _, c := range t.Columns {
		heads, rule = append(heads, cell(Say(c))), append(rule, "---")
	}
	row(heads)
	row(rule)
	if over := len(t.Rows) - commentRows; over > 0 {
		t.Rows, t.Left = t.Rows[:commentRows], t.Left+over
	}
	for _, r := range t.Rows {
		var cells []string
		for _, c := range r {
			cells = append(cells, cell(c))
		}
		row(cells)
	}
	if t.Left > 0 {
		fmt.Fprintf(&b, "\n%s more are left out here.\n", Number(t.Left))
	}
	return b.String() + "\n"
}

func markdownCard(c Card) string {
	title := markdownText(c.Title)
	if c.Label != "" {
		title = "**" + markdownText(Say(c.Label)) + "** " + title
	}
	out := "#### " + title + "\n\n"
	if len(c.Note) > 0 {
		out += markdownText(c.Note) + "\n\n"
	}
	return out + markdownBlocks(c.Blocks)
}

func deltaTitle(d Delta) string {
	switch {
	case len(d.Gone) == 0:
		return d.ComeTitle
	case len(d.Come) == 0:
		return d.GoneTitle
	}
	return d.GoneTitle + ", and " + strings.ToLower(d.ComeTitle)
}

func delta(d Delta) string {
	var b strings.Builder
	for _, side := range []struct {
		sign string
		of   []string
	}{{"-", d.Gone}, {"+", d.Come}} {
		for _, condition := range side.of {
			for line := range strings.SplitSeq(cut(condition, mostLine), "\n") {
				b.WriteString(side.sign + " " + visible(line, "\t") + "\n")
			}
		}
	}
	return head(b.String())
}

func markdownDiff(d Diff) string {
	var b strings.Builder
	line := func(sign string, parts []diffPart) {
		var text strings.Builder
		for _, p := range parts {
			text.WriteString(p.Text)
		}
		b.WriteString(sign + visible(text.String(), "\t") + "\n")
	}
	for rows := d.rows(); len(rows) > 0; {
		n := 0
		for n < len(rows) && rows[n].Changed {
			n++
		}
		for _, r := range rows[:n] {
			if r.OldRow > 0 {
				line("-", r.Old)
			}
		}
		for _, r := range rows[:n] {
			if r.NewRow > 0 {
				line("+", r.New)
			}
		}
		if n == 0 {
			if n = 1; rows[0].Skipped > 0 {
				fmt.Fprintf(&b, "@@ %d equal lines @@\n", rows[0].Skipped)
			} else {
				line(" ", rows[0].New)
			}
		}
		rows = rows[n:]
	}
	names := strings.Join(strings.Fields(d.OldName+" "+d.NewName), ", now ")
	if d.OldName == d.NewName {
		names = d.OldName
	}
	return captioned(names) + fence("diff", head(b.String()))
}

// head is the first lines of a text.
func head(text string) string {
	all := strings.SplitAfter(text, "\n")
	if over := len(all) - commentLines; over > 1 {
		return strings.Join(all[:commentLines], "") + fmt.Sprintf("[cut: %d more lines]\n", over)
	}
	return text
}
