package policytest

import (
	"fmt"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// maxBodies bounds the rules that are shown of those that would have allowed a request.
const maxBodies = 3

// explanation is why d is as it is: its reasons and their rules, the rule that decided, what kept others from
// allowing, and the cause where no policy decided.
func explanation(d *authz.Decision, why engine.Explanation) []string {
	var out []string
	for _, r := range d.Reasons {
		out = append(out, "reason: "+r.Code+": "+r.Message+originOf(r.Code, why))
	}
	if d.Cause != nil {
		out = append(out, "cause: "+d.Cause.Error())
	}
	if n := len(why.Decided); n > 0 {
		by := why.Decided[n-1]
		out = append(out, fmt.Sprintf("decided by: %s (%s:%d)", by.Rule, by.File, by.Row))
	}
	for i, r := range why.WouldAllow {
		if i == maxBodies {
			return append(out, fmt.Sprintf("and %d more rules that do not allow it", len(why.WouldAllow)-i))
		}
		if r.Failed != nil {
			out = append(out, fmt.Sprintf("not allowed by: %s (%s:%d): does not hold: %s", r.Rule, r.Failed.File,
				r.Failed.Row, firstLine(r.Failed.Text)))
			out = append(out, values(r.Failed)...)
		}
	}
	for _, p := range why.Prints {
		out = append(out, fmt.Sprintf("print: %s:%d: %s", p.File, p.Row, p.Text))
	}
	return out
}

// originOf is the place of the rule that gave a reason, in brackets.
func originOf(code string, why engine.Explanation) string {
	for _, r := range why.Reasons {
		if r.Code == code {
			return fmt.Sprintf(" (%s:%d)", r.File, r.Row)
		}
	}
	return ""
}

// values are those of the operands of an expression, a line each.
func values(x *engine.Expr) []string {
	var out []string
	for _, o := range x.Operands {
		value := o.Value
		switch {
		case o.Undefined && o.Missing != "":
			value = "undefined, for " + o.Missing + " is"
		case o.Undefined:
			value = "undefined"
		}
		out = append(out, "    "+firstLine(o.Text)+": "+value)
	}
	return out
}

func firstLine(text string) string {
	line, rest, more := strings.Cut(text, "\n")
	if more && strings.TrimSpace(rest) != "" {
		line += " ..."
	}
	return line
}
