package follow

import (
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
)

// Line is what is said of one decision. Its members are as callers and policies wrote them.
type Line struct {
	DecisionID string
	Kind       authz.Kind
	Status     int
	Reasons    []authz.Reason
	// Method, Path, Client and Subject are those of decision.Observed.
	Method, Path, Client, Subject string
	// Rule is the place of the rule that decided, as file:row; empty when no rule did, or none was looked for.
	Rule string
	// Cause is why no policy decided; empty when one did.
	Cause string
}

func lineOf(o decision.Observed) Line {
	l := Line{
		DecisionID: o.Decision.ID, Kind: o.Decision.Kind, Status: o.Decision.Status, Reasons: o.Decision.Reasons,
		Method: o.Method, Path: o.Path, Client: o.Client, Subject: o.Subject,
	}
	if o.Decision.Cause != nil {
		l.Cause = o.Decision.Cause.Error()
	}
	return l
}

// String returns the line for people:
//
//	403 insufficient_scope orders:write is needed  POST /orders  client reader  policies/denial.rego:48  01M8...
//
// Two blanks separate its parts, and no part holds two. What callers sent cannot change how a terminal shows it.
func (l Line) String() string {
	parts := []string{l.outcome(), shown(l.Method, 24) + " " + shown(l.Path, 120)}
	switch {
	case l.Client != "":
		parts = append(parts, "client "+shown(l.Client, 60))
	case l.Subject != "":
		parts = append(parts, "subject "+shown(l.Subject, 60))
	}
	if l.Rule != "" {
		parts = append(parts, shown(l.Rule, 120))
	}
	return strings.Join(append(parts, l.DecisionID), "  ")
}

// outcome is the status, what was decided in one word, and why.
func (l Line) outcome() string {
	status := strconv.Itoa(l.Status) + " "
	switch {
	case l.Kind == authz.Allow:
		return status + "allow"
	case l.Cause == "" && len(l.Reasons) == 0:
		return status + l.Kind.String()
	case l.Cause == "":
		return status + l.reasons()
	case l.Kind == authz.Unauthenticated && len(l.Reasons) > 0:
		return status + shown(l.Reasons[0].Code, 60) + " " + shown(inWords(l.Cause), 400)
	}
	return status + l.Kind.String() + " " + shown(inWords(l.Cause), 400)
}

// reasons are the first reason and the codes of the others.
func (l Line) reasons() string {
	text := shown(l.Reasons[0].Code, 60)
	if m := l.Reasons[0].Message; m != "" {
		text += " " + shown(m, 200)
	}
	for i, r := range l.Reasons[1:] {
		if i == 3 {
			return text + ", and " + strconv.Itoa(len(l.Reasons)-1-i) + " more"
		}
		text += ", " + shown(r.Code, 60)
	}
	return text
}

// inWords is a cause without the step that found it, where its words stand for themselves.
func inWords(cause string) string {
	for _, step := range [...]struct{ prefix, subject string }{
		{"check token: it ", "the token "}, {"check proof: it ", "the proof "}, {"check proof: its ", "the proof's "},
		{"read request: ", ""}, {"read credential: ", ""},
	} {
		if rest, ok := strings.CutPrefix(cause, step.prefix); ok {
			return step.subject + rest
		}
	}
	return cause
}
