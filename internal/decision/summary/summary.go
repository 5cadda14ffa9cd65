// Package summary says in one line what was decided, about which request, and why: of a decision that was just made,
// and of one that was recorded.
package summary

import (
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Decision is what is said of one decision. Its members are as callers and policies wrote them, without tokens.
type Decision struct {
	DecisionID string
	Kind       authz.Kind
	Status     int
	Reasons    []authz.Reason
	// Method and Path say what was asked, Client and Subject whose token it was; empty where that is not known.
	Method, Path, Client, Subject string
	// Rule is the place of the rule that decided, as file:row; empty when no rule did, or none was looked for.
	Rule string
	// Cause is why no policy decided; empty when one did.
	Cause string
}

// String returns the line for people:
//
//	403 insufficient_scope: orders:write is needed  POST /orders  client reader  policies/deniad.rego:48  01M8...
//
// Two blanks separate its parts, and no part holds two. What callers sent cannot change how a terminal shows it.
func (d Decision) String() string { return strings.TrimSuffix(d.Outcome()+"  "+d.About(), "  ") }

// About is the line after the outcome: the request, whose token it was, the rule, the id.
func (d Decision) About() string {
	var parts []string
	if asked := Shown(d.Method, 24) + " " + Shown(d.Path, 120); asked != " " {
		parts = append(parts, asked)
	}
	switch {
	case d.Client != "":
		parts = append(parts, "client "+Shown(d.Client, 60))
	case d.Subject != "":
		parts = append(parts, "subject "+Shown(d.Subject, 60))
	}
	if d.Rule != "" {
		parts = append(parts, Shown(d.Rule, 120))
	}
	if d.DecisionID != "" {
		parts = append(parts, Shown(d.DecisionID, 64))
	}
	return strings.Join(parts, "  ")
}

// Outcome is the first part of the line: the status, what was decided in one word, and why.
func (d Decision) Outcome() string {
	status := strconv.Itoa(d.Status) + " "
	switch {
	case d.Kind == authz.Allow:
		return status + "allow"
	case d.Cause == "" && len(d.Reasons) == 0:
		return status + d.Kind.String()
	case d.Cause == "":
		return status + d.reasons()
	case d.Kind == authz.Unauthenticated && len(d.Reasons) > 0:
		return status + Shown(d.Reasons[0].Code, 60) + ": " + Shown(InWords(d.Cause), 400)
	}
	return status + d.Kind.String() + ": " + Shown(InWords(d.Cause), 400)
}

// reasons are the first reason and the codes of the others.
func (d Decision) reasons() string {
	text := Shown(d.Reasons[0].Code, 60)
	if m := d.Reasons[0].Message; m != "" {
		text += ": " + Shown(m, 200)
	}
	for i, r := range d.Reasons[1:] {
		if i == 3 {
			return text + ", and " + strconv.Itoa(len(d.Reasons)-1-i) + " more"
		}
		text += ", " + Shown(r.Code, 60)
	}
	return text
}

// InWords is a cause without the step that found it, where its words stand for themselves.
func InWords(cause string) string {
	for _, step := range [...]struct{ prefix, subject string }{
		{"check token: it ", "the token "}, {"check proof: it ", "the proof "}, {"check proof: its ", "the proof's "},
		{"read credential: the request has none", "the request has no token"}, {"read credential: ", ""},
		{"read request: ", ""},
	} {
		if rest, ok := strings.CutPrefix(cause, step.prefix); ok {
			return step.subject + rest
		}
	}
	return cause
}
