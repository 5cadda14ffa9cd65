package access

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// WriteText writes a report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	name := r.Request.Method + " " + r.Request.Path
	if r.Request.Route != "" {
		name += " (route " + r.Request.Route + ")"
	}
	switch {
	case r.Incomplete != "" && len(r.Alternatives) == 0:
		fmt.Fprintf(&b, "%s: %s\n", name, r.Incomplete)
		_, err := io.WriteString(w, b.String())
		return err
	case !r.NeedsToken:
		fmt.Fprintf(&b, "%s needs no token%s\n", name, conditional(r.WithoutToken))
		writeAlternatives(&b, r.WithoutToken)
		if len(r.Alternatives) == 0 {
			b.WriteString("with a token it is never allowed\n")
		} else if !unconditional(r.Alternatives) {
			b.WriteString("with a token it is allowed for\n")
			writeAlternatives(&b, r.Alternatives)
		}
	case len(r.Alternatives) == 0:
		fmt.Fprintf(&b, "%s is allowed for no token\n", name)
		if r.Refusal != "" {
			fmt.Fprintf(&b, "a token with every right that the policies name gets: %s\n", r.Refusal)
		}
	case unconditional(r.Alternatives):
		fmt.Fprintf(&b, "%s is allowed for every usable token%s\n", name, mark(r.Alternatives[0]))
	default:
		fmt.Fprintf(&b, "%s is allowed for a token with all of\n", name)
		writeAlternatives(&b, r.Alternatives)
	}
	r.writeNotes(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// unconditional reports whether one of alternatives asks for nothing.
func unconditional(alternatives []Alternative) bool {
	for _, a := range alternatives {
		if len(a.All) == 0 {
			return true
		}
	}
	return false
}

func conditional(alternatives []Alternative) string {
	if unconditional(alternatives) {
		return ""
	}
	return " for a request with all of"
}

func mark(a Alternative) string {
	if a.Verified {
		return ""
	}
	return " (not verified)"
}

func writeAlternatives(b *strings.Builder, alternatives []Alternative) {
	if unconditional(alternatives) {
		return
	}
	for i, a := range alternatives {
		if i > 0 {
			b.WriteString("or all of\n")
		}
		a.write(b)
	}
}

// write writes the conditions: those that a token carries as a list, the others below it, each with its place.
func (a Alternative) write(b *strings.Builder) {
	var lines, below []string
	listed := map[string]int{} // by member
	for _, c := range a.All {
		switch {
		case c.Op == string(partial.Opaque):
			lines = append(lines, c.Text)
		case c.Op == string(partial.Rego) && !c.Not:
			lines = append(lines, c.Text+c.place())
		case c.Not && (c.Op == string(partial.HasOther) || c.Op == string(partial.Present)):
			lines = append(lines, c.Text)
		case c.Not:
			below = append(below, "and not "+c.denied()+c.place())
		default:
			i, again := listed[c.Member]
			if c.Other != "" && !again {
				listed[c.Other] = len(lines)
			}
			if again && c.Op == string(partial.Differs) && string(c.Value) == `""` {
				lines[i] += "; not empty"
				continue
			}
			if !again {
				listed[c.Member] = len(lines)
			}
			lines = append(lines, c.Text)
		}
	}
	if len(lines) == 0 {
		lines = []string{"nothing but a usable token"}
	}
	lines[len(lines)-1] += mark(a)
	for _, line := range lines {
		b.WriteString("  " + line + "\n")
	}
	for _, line := range below {
		b.WriteString(line + "\n")
	}
}

func (c Condition) place() string {
	if c.File == "" {
		return ""
	}
	return fmt.Sprintf(" (%s:%d)", c.File, c.Row)
}

// whom are the members that say who asks.
var whom = map[string]string{
	"input.token.tenant": "tenant", "input.token.client_id": "client", "input.token.subject.id": "subject",
	"input.token.issuer": "issuer", "input.token.subject.type": "subject type",
}

// denied is a condition with Not, after the word "not".
func (c Condition) denied() string {
	noun := whom[c.Member]
	for _, verb := range []string{" is not ", " is none of "} {
		if rest, ok := strings.CutPrefix(c.Text, noun+verb); ok && noun != "" {
			return "for " + noun + " " + rest
		}
	}
	if c.Op == string(partial.Rego) {
		return c.positive
	}
	return "where " + c.positive
}

func anyVerified(alternatives []Alternative) bool {
	return slices.ContainsFunc(alternatives, func(a Alternative) bool { return a.Verified })
}

func (r *Report) writeNotes(b *strings.Builder) {
	if r.NeedsToken && anyVerified(r.WithoutToken) {
		b.WriteString("the policies ask for no token here, and decision.token: required does\n")
	}
	if len(r.Alternatives) > 0 && r.NeedsToken {
		fmt.Fprintf(b, "the sidecar itself asks for %s\n", strings.Join(r.Sidecar, ", "))
	}
	if r.Incomplete != "" {
		fmt.Fprintf(b, "incomplete: %s\n", r.Incomplete)
	}
}
