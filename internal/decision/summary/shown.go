package summary

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shown is text for a line of a terminal: at most so many characters, those escaped that do not print (controls,
// escape sequences, marks of writing direction, bytes that are not UTF-8), and one blank for several.
func Shown(text string, most int) string {
	var b strings.Builder
	blank := true // none at the beginning
	for i, n := 0, 0; i < len(text); n++ {
		if n == most {
			b.WriteString("...")
			break
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == ' ':
			if !blank {
				b.WriteByte(' ')
			}
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[i])|0x100, 16)[1:])
		case !unicode.IsPrint(r):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
		blank = r == ' '
		i += size
	}
	return strings.TrimRight(b.String(), " ")
}
