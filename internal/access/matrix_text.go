package access

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// column is one column of the matrix.
type column struct {
	head string
	cell func(Row, Needs) string
}

// matrixColumns are the columns in order. One without an entry is left out.
var matrixColumns = []column{
	{"scopes", func(_ Row, n Needs) string { return n.Scopes }},
	{"audience", func(_ Row, n Needs) string { return n.Audience }},
	{"tenant", func(_ Row, n Needs) string { return n.Tenant }},
	{"roles", func(_ Row, n Needs) string { return n.Roles }},
	{"login", func(_ Row, n Needs) string { return n.Login }},
	{"anonymous", func(r Row, _ Needs) string { return r.Anonymous }},
	{"also", func(_ Row, n Needs) string { return n.Also }},
}

// table is the matrix as rows of cells, the head first. Further alternatives of a route have "or" for its method.
func (m *Matrix) table() [][]string {
	head := []string{"method", "path", "route"}
	for _, c := range matrixColumns {
		head = append(head, c.head)
	}
	out := [][]string{head}
	for _, r := range m.Routes {
		needs := r.Needs
		if len(needs) == 0 {
			needs = []Needs{{Also: "no token is enough", Verified: true}}
			if r.Incomplete != "" {
				needs[0].Also = r.Incomplete
			}
		}
		for i, n := range needs {
			line := []string{r.Method, r.Path, r.Route}
			if i > 0 {
				line = []string{"or", "", ""}
			}
			if n == (Needs{Verified: true}) && r.Anonymous == "" {
				n.Also = "every usable token"
			}
			if !n.Verified {
				n.Also = strings.TrimPrefix(n.Also+"; not verified", "; ")
			}
			for _, c := range matrixColumns {
				line = append(line, c.cell(r, n))
			}
			out = append(out, line)
		}
	}
	return withoutEmpty(out)
}

// withoutEmpty leaves out the columns that have only a head.
func withoutEmpty(rows [][]string) [][]string {
	var keep []int
	for i := range rows[0] {
		if slices.ContainsFunc(rows[1:], func(line []string) bool { return line[i] != "" }) {
			keep = append(keep, i)
		}
	}
	out := make([][]string, len(rows))
	for i, line := range rows {
		for _, k := range keep {
			out[i] = append(out[i], line[k])
		}
	}
	return out
}

// WriteText writes the matrix for people: a table, and below it what each token gets.
func (m *Matrix) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(m.Routes) == 0 {
		b.WriteString("no routes\n")
	} else {
		writeAligned(&b, m.table())
	}
	for _, r := range m.Routes {
		r.writeTokens(&b, m.names())
	}
	m.writeLegend(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeAligned(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, line := range rows {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range rows {
		text := ""
		for i, cell := range line {
			text += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

// byDecision are the names of the tokens that get each decision, allow first.
func (r Row) byDecision(nameOf func(TokenDecision) string) (decisions []string, tokens map[string][]string) {
	tokens = map[string][]string{}
	for _, t := range r.Tokens {
		if tokens[t.Decision] == nil {
			decisions = append(decisions, t.Decision)
		}
		tokens[t.Decision] = append(tokens[t.Decision], nameOf(t))
	}
	first := func(decision string) int {
		if decision == "allow" {
			return 0
		}
		return 1
	}
	slices.SortFunc(decisions, func(a, b string) int {
		return cmp.Or(cmp.Compare(first(a), first(b)), strings.Compare(a, b))
	})
	return decisions, tokens
}

// names says how tokens are called: with their suite, where there are several.
func (m *Matrix) names() func(TokenDecision) string {
	several := slices.ContainsFunc(m.Routes, func(r Row) bool {
		return slices.ContainsFunc(r.Tokens, func(t TokenDecision) bool { return t.Suite != r.Tokens[0].Suite })
	})
	return func(t TokenDecision) string {
		if several {
			return t.Suite + "/" + t.Token
		}
		return t.Token
	}
}

func (r Row) writeTokens(b *strings.Builder, nameOf func(TokenDecision) string) {
	if len(r.Tokens) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s %s\n", r.Method, r.Path)
	decisions, tokens := r.byDecision(nameOf)
	for _, d := range decisions {
		writeWrapped(b, "  "+d+": ", tokens[d])
	}
}

// textWidth is how wide lists of tokens are.
const textWidth = 100

// writeWrapped writes a list after a head, on as many lines as it takes.
func writeWrapped(b *strings.Builder, head string, list []string) {
	line := head
	for i, item := range list {
		if i < len(list)-1 {
			item += ", "
		}
		if line != head && utf8.RuneCountInString(line+item) > textWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, head = "    ", "    "
		}
		line += item
	}
	b.WriteString(line + "\n")
}

func (m *Matrix) writeLegend(b *strings.Builder) {
	if slices.ContainsFunc(m.Routes, func(r Row) bool { return r.Anonymous == "closed" }) {
		b.WriteString("\nclosed: the policies ask for no token there, and decision.token: required does\n")
	}
	if m.Rest != "" {
		fmt.Fprintf(b, "\nincomplete: %s\n", m.Rest)
	}
}

// WriteMarkdown writes the matrix as tables of Markdown.
func (m *Matrix) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	writeMarkdown(&b, m.table())
	var rows [][]string
	for _, r := range m.Routes {
		decisions, tokens := r.byDecision(m.names())
		for _, d := range decisions {
			rows = append(rows, []string{r.Method, r.Path, d, strings.Join(tokens[d], ", ")})
		}
	}
	if len(rows) > 0 {
		b.WriteString("\n")
		writeMarkdown(&b, append([][]string{{"method", "path", "decision", "tokens"}}, rows...))
	}
	m.writeLegend(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeMarkdown(b *strings.Builder, rows [][]string) {
	escape := strings.NewReplacer("|", `\|`, "*", `\*`, "\n", " ")
	for i, line := range rows {
		for _, cell := range line {
			b.WriteString("| " + escape.Replace(cell) + " ")
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(line)) + "|\n")
		}
	}
}
