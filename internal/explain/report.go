// Package explain says in words why a decision is as it is: by which rules and values of the policies, or for which
// cause no policy was asked.
package explain

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// Facts are what a decision does not say about its request.
type Facts struct {
	// HiddenHeaders are the names of the headers of the request that policies do not see: those that input.headers
	// does not list.
	HiddenHeaders []string
	// Named is set when each header was named by a person. Then all hidden ones are worth a note, not only those that
	// a rule looked for.
	Named bool
}

// Report is an explanation in words, and the facts behind it as JSON.
type Report struct {
	// Cause is why no policy decided, and "" when one did.
	Cause              string `json:"cause,omitzero"`
	engine.Explanation `json:",inline"`
	// Notes say what is behind a value that a rule stopped at, and what to do about it.
	Notes []string `json:"notes"`

	decision authz.Decision
}

// Of reports why d is as it is. The zero Explanation is that of a decision which no policy made.
func Of(d authz.Decision, why engine.Explanation, facts Facts) Report {
	r := Report{Explanation: why, decision: d}
	if d.Cause != nil {
		r.Cause = d.Cause.Error()
	}
	r.Notes = r.notes(facts)
	return r
}

// libraryPackage holds the packages of the library, whose rules are only shown where they are the cause.
const libraryPackage = "data.sidecar."

func isLibrary(o engine.RuleOutcome) bool { return strings.HasPrefix(o.Rule, libraryPackage) }

// route is the way from a rule that would have allowed to the failure.
type route struct {
	// from is the rule that stopped, and steps are the rules below it that were the cause, down to the last.
	from  engine.RuleOutcome
	steps []engine.RuleOutcome
}

// routes are those of all rules that would have allowed. A rule that only asks for others is passed over.
func routes(outcomes []engine.RuleOutcome) []route {
	var out []route
	for _, o := range outcomes {
		if x := o.Failed; x != nil && isReference(x) && hasOwn(x.Causes) {
			out = append(out, routes(own(x.Causes))...)
			continue
		}
		r := route{from: o}
		for x := expr(o); x != nil && len(x.Causes) > 0; x = expr(x.Causes[0]) {
			r.steps = append(r.steps, x.Causes[0])
		}
		out = append(out, r)
	}
	return out
}

// isReference reports whether an expression asks for no more than a rule that is undefined or false.
func isReference(x *engine.Expr) bool {
	return len(x.Operands) == 1 && (x.Operands[0].Undefined || x.Operands[0].Value == "false") &&
		x.Operands[0].Text == strings.TrimSuffix(x.Text, " == true")
}

func hasOwn(outcomes []engine.RuleOutcome) bool { return len(own(outcomes)) > 0 }

// own are the outcomes of rules that are not of the library and did not fire.
func own(outcomes []engine.RuleOutcome) []engine.RuleOutcome {
	var out []engine.RuleOutcome
	for _, o := range outcomes {
		if !isLibrary(o) && !o.Fired {
			out = append(out, o)
		}
	}
	return out
}

func expr(o engine.RuleOutcome) *engine.Expr {
	if o.Fired {
		return o.Held
	}
	return o.Failed
}

// expressions calls yield with all expressions of an explanation.
func (r *Report) expressions(yield func(*engine.Expr)) {
	var walk func(x *engine.Expr)
	walk = func(x *engine.Expr) {
		if x == nil {
			return
		}
		yield(x)
		for _, c := range x.Causes {
			walk(expr(c))
		}
	}
	for _, o := range r.WouldAllow {
		walk(expr(o))
	}
	for _, o := range r.Reasons {
		walk(o.Held)
	}
}
