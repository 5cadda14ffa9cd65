package engine

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// programs draws rules by a grammar of what can be done with the segments of a path and with the names of headers.
//
// A form is the text of an expression, and of the rules that it uses, a line each. In a form, $t, $l, $o and $c are a
// text, a list, an object and a condition, $s a segment, $b a body of conditions, and @ a number of its own. !x has
// the variable x@ drawn as a text from there on, in the rest of the body or the rule; ~ ends what ! began. A rule on a
// line that begins with & follows from one part of the input, so that its value is often kept; $k and $h are a text
// and a condition that such a rule decides. $j is a body of conditions $i that a rule index looks at, with constants
// $n and references $r.
type programs struct {
	random *rand.Rand
	rules  []string
	scope  []string
	part   string // of the input, to which forms are restricted
	last   int
	left   int // how many forms may still be used that have others in them
}

// forms are one a line, or, after a line of "--", one of several lines.
func forms(text string) (out []string) {
	single, several, _ := strings.Cut(strings.TrimRight(text, "\n"), "\n--\n")
	if single != "" {
		out = strings.Split(strings.TrimSpace(single), "\n")
	}
	if several != "" {
		out = append(out, strings.Split(several, "\n--\n")...)
	}
	return out
}

// program draws the rules of one program, whose decision is named so and is one of the forms of decisions.
func (p *programs) program(decisions []string) string {
	p.rules, p.scope, p.left = nil, nil, 1+p.random.IntN(5)
	decision := p.expand(draw(p.random, decisions))
	return strings.Join(append(p.rules, decision), "\n") + "\n"
}

// of draws an expression of a kind.
func (p *programs) of(kind byte) string {
	if (kind == 't' || kind == 's' || kind == 'r') && len(p.scope) > 0 && p.random.IntN(3) > 0 {
		return draw(p.random, p.scope)
	}
	if kind == 's' && p.part == ofToken {
		kind = 't'
	}
	form := p.form(slices.Concat(leaves[kind], indexedLeaves[kind]))
	more := slices.Concat(grammar[kind], indexedGrammar[kind])
	if p.left > 0 && p.random.IntN(2) == 0 && more != nil {
		p.left--
		form = p.form(more)
	}
	if kind == 'c' || kind == 'h' || kind == 'i' { // its variables are those of the body around it
		return p.expand(form)
	}
	defer p.within(p.scope)
	return p.expand(form)
}

// The parts of the input from which a rule follows whose value can be kept.
const (
	ofRequest = "input.request.segments"
	ofToken   = "input.token"
)

// form draws one of several forms, within the part.
func (p *programs) form(of []string) string {
	for {
		form := draw(p.random, of)
		if p.part == "" || strings.Count(form, "input.") == strings.Count(form, p.part) {
			return form
		}
	}
}

// within has the variables of a scope drawn, and no others.
func (p *programs) within(scope []string) { p.scope = scope }

// body draws conditions of a kind: few of 'c', which have others in them, more of 'i'.
func (p *programs) body(kind byte) string {
	defer p.within(p.scope)
	conditions := []string{p.of(kind)}
	for p.random.IntN(3) == 0 || kind == 'i' && p.random.IntN(3) > 0 {
		conditions = append(conditions, p.of(kind))
	}
	return strings.Join(conditions, "; ")
}

// expand draws what stands in a form, and adds the rules that it uses.
func (p *programs) expand(form string) string {
	p.last++
	use, rules, _ := strings.Cut(form, "\n")
	id, around := strconv.Itoa(p.last), p.scope
	out := p.line(use, id)
	part := cmp.Or(p.part, draw(p.random, []string{ofRequest, ofRequest, ofToken}))
	for rule := range strings.SplitSeq(rules, "\n") {
		if rule != "" {
			outside, beyond := p.scope, p.part
			p.within(nil)
			if own, ok := strings.CutPrefix(rule, "&"); ok {
				rule, p.part = own, part
			}
			text := p.line(rule, id)
			p.rules = append(p.rules, text)
			p.within(outside)
			p.part = beyond
		}
	}
	if strings.Contains(form, "~") {
		p.within(around)
	}
	return out
}

// line draws what stands in one line of a form.
func (p *programs) line(form, id string) string {
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		switch c := form[i]; {
		case c == '@':
			b.WriteString(id)
		case c == '~':
		case c == '!' && form[i+1] != '=':
			i++
			p.scope = append(p.scope[:len(p.scope):len(p.scope)], string(form[i])+id)
		case c == '$' && form[i+1] == 'b':
			i++
			b.WriteString(p.body('c'))
		case c == '$' && form[i+1] == 'j':
			i++
			b.WriteString(p.body('i'))
		case c == '$':
			i++
			b.WriteString(p.of(form[i]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
