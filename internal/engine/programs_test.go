package engine

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// programs draws rules by a grammar of what can be done with the segments of a path and with the names of headers.
//
// A form is the text of an expression, and of the rules that it uses, a line each. In a form, $t, $l, $o and $c are a
// text, a list, an object and a condition, $s a segment, $b a body of conditions, and @ a number of its own. !x has
// the variable x@ drawn as a text from there on, in the rest of the body or the rule; ~ ends what ! began.
type programs struct {
	random *rand.Rand
	rules  []string
	scope  []string
	last   int
	left   int // how many forms may still be used that have others in them
}

// forms are one a line, or, after a line of "--", one of several lines.
func forms(text string) (out []string) {
	single, several, _ := strings.Cut(strings.TrimSpace(text), "\n--\n")
	out = strings.Split(single, "\n")
	if several != "" {
		out = append(out, strings.Split(several, "\n--\n")...)
	}
	return out
}

// program draws the rules of one program, whose decision is named so.
func (p *programs) program() string {
	p.rules, p.scope, p.left = nil, nil, 1+p.random.IntN(5)
	decision := p.expand(draw(p.random, decisions))
	return strings.Join(append(p.rules, decision), "\n") + "\n"
}

// of draws an expression of a kind.
func (p *programs) of(kind byte) string {
	if (kind == 't' || kind == 's') && len(p.scope) > 0 && p.random.IntN(3) > 0 {
		return draw(p.random, p.scope)
	}
	form := draw(p.random, leaves[kind])
	if p.left > 0 && p.random.IntN(2) == 0 && grammar[kind] != nil {
		p.left--
		form = draw(p.random, grammar[kind])
	}
	if kind == 'c' { // its variables are those of the body around it
		return p.expand(form)
	}
	defer p.within(p.scope)
	return p.expand(form)
}

// within has the variables of a scope drawn, and no others.
func (p *programs) within(scope []string) { p.scope = scope }

func (p *programs) body() string {
	defer p.within(p.scope)
	conditions := []string{p.of('c')}
	for p.random.IntN(3) == 0 {
		conditions = append(conditions, p.of('c'))
	}
	return strings.Join(conditions, "; ")
}

// expand draws what stands in a form, and adds the rules that it uses.
func (p *programs) expand(form string) string {
	p.last++
	use, rules, _ := strings.Cut(form, "\n")
	id, around := strconv.Itoa(p.last), p.scope
	out := p.line(use, id)
	for rule := range strings.SplitSeq(rules, "\n") {
		if rule != "" {
			outside := p.scope
			p.within(nil)
			text := p.line(rule, id)
			p.rules = append(p.rules, text)
			p.within(outside)
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
			b.WriteString(p.body())
		case c == '$':
			i++
			b.WriteString(p.of(form[i]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
