package page

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The greatest lengths of texts, in characters: of a span, of a line of a diff, and of a source; and the most lines of
// one side of a diff.
const (
	mostSpan   = 2_000
	mostLine   = 2_000
	mostSource = 40_000
	mostLines  = 1_000
)

// cut shortens a text, and says by how much.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	n := 0
	for i := range text {
		if n++; n > most {
			return text[:i] + fmt.Sprintf(" [cut: %d more bytes]", len(text)-i)
		}
	}
	return text
}

// piece is a part of a text: characters that show, or the code point of one that does not. A line may be broken after
// Breaks.
type piece struct {
	Text   string
	Hidden bool
	Breaks bool
}

// pieces takes the characters out of a text that do not show or change how others show: controls, marks of writing
// direction, blanks that are none, joiners, what stacks on other characters, bytes that are not UTF-8. Those of keep
// stay.
func pieces(text, keep string) []piece {
	var out []piece
	begun, marks := 0, 0
	flush := func(end int) {
		if begun < end {
			out = append(out, piece{Text: text[begun:end]})
		}
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if marks++; !unicode.Is(unicode.M, r) {
			marks = 0
		}
		invalid := r == utf8.RuneError && size == 1
		if invalid || marks > 2 || hides(r) && !strings.ContainsRune(keep, r) {
			flush(i)
			name := fmt.Sprintf("[U+%04X]", r)
			if invalid {
				name = fmt.Sprintf("[0x%02X]", text[i])
			}
			out = append(out, piece{Text: name, Hidden: true})
			begun = i + size
		}
		i += size
	}
	flush(len(text))
	return out
}

// breakable are the pieces of a value, in which a line is broken after a slash before it is anywhere.
func breakable(value string) []piece {
	return divided(pieces(cut(value, mostSpan), ""), func(text string) int { return strings.IndexByte(text, '/') + 1 })
}

// longWord is how many characters a word has that is not broken.
const longWord = 20

// narrow are the pieces of what is no value. Its words are whole, but for those that are too long.
func narrow(text string) []piece {
	return divided(pieces(cut(text, mostSpan), ""), func(text string) int {
		word := 0
		for i, r := range text {
			switch {
			case r == ' ':
				word = 0
			case word == longWord:
				return i
			default:
				word++
			}
		}
		return 0
	})
}

// divided cuts pieces where at says, which returns 0 for nowhere; lines may be broken there.
func divided(all []piece, at func(text string) int) []piece {
	var out []piece
	for _, p := range all {
		for !p.Hidden {
			n := at(p.Text)
			if n == 0 || n == len(p.Text) {
				break
			}
			out = append(out, piece{Text: p.Text[:n], Breaks: true})
			p.Text = p.Text[n:]
		}
		p.Breaks = p.Hidden
		out = append(out, p)
	}
	return out
}

// hides reports whether a character does not show, or not as one.
func hides(r rune) bool {
	return !unicode.IsPrint(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
		unicode.Is(unicode.Variation_Selector, r) || r == '\u2800'
}

// Visible is a text without line breaks and other hidden characters: their code points stand for them. It is cut to
// most characters.
func Visible(text string, most int) string { return visible(cut(text, most), "") }

// visible is a text with the names of its hidden characters.
func visible(text, keep string) string {
	var b strings.Builder
	for _, p := range pieces(text, keep) {
		b.WriteString(p.Text)
	}
	return b.String()
}
