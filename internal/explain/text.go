package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision/summary"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

const (
	// maxLines bounds the short form, and briefValue the values in it, in characters.
	maxLines   = 10
	briefValue = 72
	wholeValue = 200
	// maxText bounds texts of callers and policies in a line.
	maxText = 300
)

// Brief is the explanation in ten lines: the decision, the rule that decided, the rules of the reasons, and for each
// rule that would have allowed the expression it stopped at with the values behind it. more says how to see all.
func (r *Report) Brief(more string) string {
	lines := r.head(2)
	notes := r.noteLines()
	left := maxLines - len(lines) - len(notes)
	ways := routes(r.WouldAllow)
	for i, way := range ways {
		said := way.lines(briefValue)
		if i > 0 && len(said)+1 > left || left <= 1 {
			lines = append(lines, label("", "and more: "+more))
			break
		}
		said = said[:min(len(said), left)]
		lines, left = append(lines, said...), left-len(said)
	}
	return strings.Join(append(lines, notes...), "\n") + "\n"
}

// Whole is the explanation without bounds on lines: all causes, and the outcome of every rule that was evaluated.
func (r *Report) Whole() string {
	lines := r.head(len(r.Reasons))
	for _, o := range r.WouldAllow {
		lines = append(lines, label("would allow", ""))
		lines = tree(lines, []engine.RuleOutcome{o}, "  ")
	}
	lines = append(lines, r.noteLines()...)
	for _, p := range []struct {
		title string
		take  func(engine.RuleOutcome) bool
	}{
		{"rules that have a value:", func(o engine.RuleOutcome) bool { return o.Fired && !isLibrary(o) }},
		{"rules that stopped:", func(o engine.RuleOutcome) bool { return !o.Fired && !isLibrary(o) }},
		{"rules of the library that have a value:", func(o engine.RuleOutcome) bool {
			return o.Fired &&
				isLibrary(o)
		}},
		{"rules of the library that stopped:", func(o engine.RuleOutcome) bool { return !o.Fired && isLibrary(o) }},
	} {
		first := true
		for _, o := range r.Rules {
			if !p.take(o) {
				continue
			}
			if first {
				lines, first = append(lines, p.title), false
			}
			lines = tree(lines, []engine.RuleOutcome{o}, "  ")
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// head says what was decided and by which rules, with at most so many reasons.
func (r *Report) head(reasons int) []string {
	lines := []string{headline(r.decision)}
	if r.Cause != "" {
		lines = append(lines, label("cause", summary.Shown(r.Cause, maxText)))
	}
	if n := len(r.Decided); n > 0 {
		by := at(r.Decided[n-1])
		if n > 1 {
			by += ", for " + r.Decided[0].Rule
		}
		lines = append(lines, label("decided by", by))
	}
	if r.decision.Kind == authz.Allow {
		for _, o := range r.Held[:min(len(r.Held), maxLines-4)] {
			lines = append(lines, label("for", at(o)))
		}
	}
	origins := r.origins()
	for i, o := range origins {
		if i == reasons {
			lines = append(lines, label("", fmt.Sprintf("and %d more", len(origins)-i)))
			break
		}
		lines = append(lines, label("reason", o))
	}
	return lines
}

// origins are the codes of the reasons with their rules, each once.
func (r *Report) origins() []string {
	var out []string
	for _, x := range r.Reasons {
		o := engine.RuleOutcome{Rule: x.Rule, Part: x.Part, File: x.File, Row: x.Row}
		if said := summary.Shown(x.Code, maxText) + "  " + at(o); !slices.Contains(out, said) {
			out = append(out, said)
		}
	}
	return out
}

func headline(d authz.Decision) string {
	said := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		text := r.Code
		if r.Message != "" {
			text += ": " + r.Message
		}
		said = append(said, summary.Shown(text, maxText))
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d  %s", d.Kind, d.Status, strings.Join(said, "; ")))
}

func (r *Report) noteLines() []string {
	var out []string
	for _, n := range r.Notes {
		out = append(out, label("note", n))
	}
	return out
}

// label puts a line into two columns.
func label(name, text string) string {
	return strings.TrimRight(fmt.Sprintf("%-12s %s", name, text), " ")
}

// at is a rule with its place.
func at(o engine.RuleOutcome) string {
	name := o.Rule
	if o.Part != "" {
		name += " (" + o.Part + ")"
	}
	return name + "  " + place(o.File, o.Row)
}

// Line is what print() wrote, with its place, as a line for a terminal.
func Line(p engine.Print) string {
	return place(p.File, p.Row) + ": " + summary.Shown(p.Text, len(p.Text))
}

func place(file string, row int) string { return fmt.Sprintf("%s:%d", file, row) }

// lines are those of one rule that would have allowed.
func (w route) lines(most int) []string {
	x := expr(w.from)
	if x == nil {
		return []string{label("would allow", at(w.from))}
	}
	verb := "stopped at"
	if w.from.Fired {
		verb = "answers with"
	}
	lines := []string{label("would allow", fmt.Sprintf("%s %s %s  %s", w.from.Rule, verb, oneLine(x.Text),
		place(x.File, x.Row)))}
	if len(w.steps) == 0 || w.steps[0].Fired && !w.from.Fired && !strings.HasPrefix(x.Text, "not ") {
		lines = appendText(lines, values(x, most))
	}
	if len(w.steps) == 0 {
		return lines
	}
	last := len(w.steps) - 1
	for i, s := range w.steps {
		x := expr(s)
		if i < last && (isLibrary(s) || x == nil || !s.Fired && isReference(x)) {
			continue
		}
		lines = append(lines, label("", because(s, most)))
	}
	return lines
}

func appendText(lines []string, text string) []string {
	if text == "" {
		return lines
	}
	return append(lines, label("", text))
}

// because is one rule that is a cause: what it stopped at, or what it holds by.
func because(o engine.RuleOutcome, most int) string {
	x := expr(o)
	if x == nil {
		if o.Fired {
			return at(o) + " holds"
		}
		return at(o) + " does not take these arguments"
	}
	verb := "stopped at"
	if o.Fired {
		verb = "holds by"
	}
	return fmt.Sprintf("%s %s %s  %s", o.Rule, verb, withValues(x, most), place(x.File, x.Row))
}

// withValues is an expression and the values in it; a reference that is undefined is not said twice.
func withValues(x *engine.Expr, most int) string {
	text, v := oneLine(x.Text), values(x, most)
	if v == "" {
		return text
	}
	if len(x.Operands) == 1 && x.Operands[0].Undefined && x.Operands[0].Text == x.Text {
		return v
	}
	return text + ": " + v
}

// values are the operands of an expression: input.token.tenant is "acme", x is undefined.
func values(x *engine.Expr, most int) string {
	var out []string
	for _, o := range x.Operands {
		name := oneLine(o.Text)
		if o.Path != "" {
			name = o.Path
		}
		switch {
		case o.Missing != "":
			out = append(out, fmt.Sprintf("%s is undefined (there is no %s)", name, o.Missing))
		case o.Undefined:
			out = append(out, name+" is undefined")
		default:
			out = append(out, name+" is "+short(o.Value, most))
		}
	}
	if x.Times > 1 {
		out = append(out, fmt.Sprintf("the first of %d tries", x.Times))
	}
	return strings.Join(out, ", ")
}

// short is the beginning of a value.
func short(value string, most int) string {
	if r := []rune(value); len(r) > most {
		return string(r[:most]) + "..."
	}
	return value
}

// oneLine is the first line of an expression.
func oneLine(s string) string {
	line, rest, more := strings.Cut(s, "\n")
	if more && strings.TrimSpace(rest) != "" {
		line = strings.TrimRight(line, " \t\r") + " ..."
	}
	return summary.Shown(line, maxText)
}

// tree appends outcomes with all their causes, each a level further in.
func tree(lines []string, outcomes []engine.RuleOutcome, indent string) []string {
	for _, o := range outcomes {
		lines = append(lines, indent+at(o))
		x := expr(o)
		if x == nil {
			continue
		}
		verb := "stopped at "
		if o.Fired {
			verb = "holds by "
		}
		lines = append(lines, fmt.Sprintf("%s  %s%s  %s", indent, verb, oneLine(x.Text), place(x.File, x.Row)))
		if v := values(x, wholeValue); v != "" {
			lines = append(lines, indent+"    "+v)
		}
		lines = tree(lines, x.Causes, indent+"    ")
	}
	return lines
}
