package page

import (
	"regexp"
	"strconv"
	"strings"
)

// Text is a sentence or a value, in spans.
type Text []Span

// Span is a part of a text.
type Span struct {
	Text string
	// As says what it is.
	As Role
	// Tone is that of a tag.
	Tone Tone
	// To is the ID of a section or card that a tag leads to, or "".
	To string
}

// Role says what a span is.
type Role string

// The roles.
const (
	// Prose is a sentence. Its words that are not plain English, such as paths and names, are shown as values are.
	Prose Role = ""
	// Value is text as it is, in a fixed width.
	Value Role = "value"
	// Tag is a word in a frame.
	Tag Role = "tag"
	// Strong is prose that stands out; Faint is prose that does not.
	Strong Role = "strong"
	Faint  Role = "faint"
	// Break ends a line.
	Break Role = "break"
)

// Say returns a sentence.
func Say(sentence string) Text { return Text{{Text: sentence}} }

// Code returns a value. That of "" is no text.
func Code(value string) Text {
	if value == "" {
		return nil
	}
	return Text{{Text: value, As: Value}}
}

// Codes returns values, with commas between them.
func Codes(values []string) Text {
	var out Text
	for i, v := range values {
		if i > 0 {
			out = append(out, Span{Text: ", "})
		}
		out = append(out, Span{Text: v, As: Value})
	}
	return out
}

// Tagged returns a word in a frame.
func Tagged(word string, tone Tone) Text { return Text{{Text: word, As: Tag, Tone: tone}} }

// Join returns texts as one, with a blank between them.
func Join(texts ...Text) Text {
	var out Text
	for _, t := range texts {
		if len(out) > 0 && len(t) > 0 {
			out = append(out, Span{Text: " "})
		}
		out = append(out, t...)
	}
	return out
}

// Number is a number with commas between thousands.
func Number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// word is what needs no frame: a word of letters, perhaps with hyphens, in quotation marks or before a stop; a number.
// What a platform would turn into a link (addresses, mentions, references to issues and commits) is none, nor what has
// a meaning in Markdown.
var word = regexp.MustCompile(`^[("]*(?:[A-Za-z]+(?:[-'][A-Za-z]+)*|\d{1,3}(?:,\d{3})+|\d{1,6}(?:\.\d{1,3})?|` +
	`\d{2}:\d{2}:\d{2}|%)?[)"]*[,.;:!?]*[)"]*$`)

// commit is what platforms take for the name of a commit.
var commit = regexp.MustCompile(`^[("]*[0-9a-fA-F]{7,}[^0-9A-Za-z]*$`)

// framed takes what is not plain English out of its punctuation: ("a.b"), is a.b between (" and "),.
var framed = regexp.MustCompile(`^(\(?"?)(.*?)("?\)?[,.;:!?]*)$`)

// split returns prose in spans of plain words and of values.
func split(prose string) Text {
	var out Text
	add := func(text string, as Role) {
		if n := len(out); n > 0 && out[n-1].As == Prose && as == Prose {
			out[n-1].Text += text
		} else if text != "" {
			out = append(out, Span{Text: text, As: as})
		}
	}
	for i, w := range strings.Split(prose, " ") {
		if i > 0 {
			add(" ", Prose)
		}
		if w == "" || word.MatchString(w) && !commit.MatchString(w) {
			add(w, Prose)
			continue
		}
		parts := framed.FindStringSubmatch(w)
		if parts == nil || parts[2] == "" || strings.Contains(parts[2], "(") {
			parts = []string{w, "", w, ""}
		}
		add(parts[1], Prose)
		add(parts[2], Value)
		add(parts[3], Prose)
	}
	return out
}

// Plain is the text without roles.
func (t Text) Plain() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString(s.Text)
	}
	return b.String()
}

// spans are those of the text with prose split, each cut to most characters.
func (t Text) spans(most int) []Span {
	var out []Span
	for _, s := range t {
		s.Text = cut(s.Text, most)
		if s.As == Prose {
			out = append(out, split(s.Text)...)
		} else {
			out = append(out, s)
		}
	}
	return out
}
