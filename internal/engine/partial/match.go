package partial

import (
	"regexp/syntax"
	"strings"
)

// Matching is a text that a regular expression matches.
func Matching(pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	writeMatching(&b, re)
	return b.String(), true
}

// maxRepeated bounds the repetitions in a text.
const maxRepeated = 64

func writeMatching(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			b.WriteRune(re.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		writeMatching(b, re.Sub[0])
	case syntax.OpRepeat:
		for range min(max(re.Min, 1), maxRepeated) {
			writeMatching(b, re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			writeMatching(b, sub)
		}
	}
}
