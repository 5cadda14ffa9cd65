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

// piece is a part of a text: characters that show, or the code point of one that does not.
type piece struct {
	Text   string
	Hidden bool
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
