package page

import (
	"html"
	"regexp"
	"strings"
)

// special are the characters that mean something within a line of Markdown.
var special = regexp.MustCompile("[\\\\`*_{}\\[\\]<>#+!|~&$^=@/]")

// numbered is what makes a list of a line.
var numbered = regexp.MustCompile(`^(\d+)([.)])`)

// markdownText is a text as Markdown on one line. Values are spans of code, which nothing within can end or turn into
// something else; prose has values for all words that could be more than words.
func markdownText(t Text) string {
	return numbered.ReplaceAllString(strings.TrimSpace(markdownSpans(t)), `$1\$2`)
}

func markdownSpans(t Text) string {
	var b strings.Builder
	code := false
	for _, s := range t.spans(commentSpan) {
		after := code
		code = s.As == Value && s.Text != ""
		switch s.As {
		case Value:
			if after && code {
				b.WriteByte(' ') // backticks of two spans would be those of one
			}
			b.WriteString(codeSpan(visible(s.Text, "")))
		case Tag, Strong:
			b.WriteString(strong(markdownSpans(Say(s.Text))))
		case Break:
			b.WriteString("<br>")
		case Faint:
			b.WriteString(markdownSpans(Say(s.Text)))
		case Prose:
			b.WriteString(special.ReplaceAllString(visible(s.Text, ""), `\$0`))
		}
	}
	return b.String()
}

// strong is text that stands out; blanks at its ends do not.
func strong(text string) string {
	inner := strings.TrimSpace(text)
	if inner == "" {
		return text
	}
	return strings.Replace(text, inner, "**"+inner+"**", 1)
}

// codeSpan is text within as many backticks as it takes (CommonMark 0.31, section 6.1).
func codeSpan(text string) string {
	if text == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(text, '`')+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") ||
		strings.HasPrefix(text, " ") && strings.HasSuffix(text, " ") && strings.TrimSpace(text) != "" {
		text = " " + text + " "
	}
	return ticks + text + ticks
}

// cell is a text in a table, where a stroke ends the cell, within code as well (GFM, section 4.10). A stroke is not
// escaped after a backslash: the escape would be.
func cell(t Text) string {
	text := markdownText(t)
	var b strings.Builder
	for i, r := range text {
		switch {
		case r != '|':
			b.WriteRune(r)
		case i > 0 && text[i-1] == '\\' && (i < 2 || text[i-2] != '\\') && !inCode(text[:i]):
			b.WriteByte('|') // it is escaped already
		case i > 0 && text[i-1] == '\\':
			b.WriteString("[U+007C]")
		default:
			b.WriteString(`\|`)
		}
	}
	return b.String()
}

// inCode reports whether a span of code begins in a text and does not end there.
func inCode(text string) bool {
	open := 0
	for i := 0; i < len(text); {
		n := 0
		for i+n < len(text) && text[i+n] == '`' {
			n++
		}
		switch {
		case n > 0 && open == 0:
			open = n
		case n > 0 && open == n:
			open = 0
		}
		i += max(n, 1)
	}
	return open > 0
}

// fence is text between lines of as many backticks as it takes.
func fence(language, text string) string {
	ticks := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	return ticks + language + "\n" + strings.TrimSuffix(text, "\n") + "\n" + ticks + "\n\n"
}

func longestRun(text string, of rune) int {
	longest, n := 0, 0
	for _, r := range text {
		if r != of {
			n = 0
			continue
		}
		n++
		longest = max(longest, n)
	}
	return longest
}

// captioned is a line above something.
func captioned(caption string) string {
	if caption == "" {
		return ""
	}
	return markdownText(Say(caption)) + "\n\n"
}

// htmlText is a text for a summary element, where Markdown is not read.
func htmlText(t Text) string {
	var b strings.Builder
	for _, s := range t.spans(commentSpan) {
		text := html.EscapeString(visible(s.Text, ""))
		switch s.As {
		case Prose:
			b.WriteString(text)
		case Value:
			b.WriteString("<code>" + text + "</code>")
		case Tag, Strong, Faint:
			b.WriteString(htmlText(Say(s.Text)))
		case Break:
			b.WriteByte(' ')
		}
	}
	return b.String()
}
