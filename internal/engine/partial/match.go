package partial

import (
	"regexp/syntax"
	"strings"
)

// Matching is a text that a regular expression matches.
func Matching(pattern string) (string, bool) { return matching(pattern, fewest) }

// Longest is a text that a regular expression matches, with each repetition as often as may be, or once where there is
// no bound.
func Longest(pattern string) (string, bool) { return matching(pattern, most) }

// amount says how often a repetition repeats.
type amount uint8

const (
	fewest amount = iota
	most
)

func matching(pattern string, much amount) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	writeMatching(&b, re, much)
	return b.String(), true
}

// maxRepeated bounds the repetitions in a text.
const maxRepeated = 64

func writeMatching(b *strings.Builder, re *syntax.Regexp, much amount) {
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
		writeMatching(b, re.Sub[0], much)
	case syntax.OpRepeat:
		times := max(re.Min, 1)
		if much == most {
			times = max(re.Max, times)
		}
		for range min(times, maxRepeated) {
			writeMatching(b, re.Sub[0], much)
		}
	case syntax.OpStar, syntax.OpQuest:
		if much == most {
			writeMatching(b, re.Sub[0], much)
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			writeMatching(b, sub, much)
		}
	}
}
