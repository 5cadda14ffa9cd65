package explain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

func (r *Report) notes(facts Facts) []string {
	notes := []string{}
	if r.Cause != "" {
		notes = append(notes, remedy(r.decision))
	}
	hidden := slices.Clone(facts.HiddenHeaders)
	r.expressions(func(x *engine.Expr) {
		for _, o := range x.Operands {
			switch name, is := headerOf(o); {
			case is && o.Undefined && slices.Contains(hidden, name):
				notes = append(notes, fmt.Sprintf("the request has %s, but input.headers does not pass it: policies "+
					"see "+
					"the headers that the configuration lists there", name))
				hidden = slices.DeleteFunc(hidden, func(h string) bool { return h == name })
			case reference(o) == "input.token.subject.type" && o.Value == `"unknown"`:
				notes = append(notes, unknownSubject)
			}
		}
	})
	if facts.Named && len(hidden) > 0 {
		notes =
			append(notes, fmt.Sprintf("policies do not see %s: input.headers of the configuration does not pass %s",
				strings.Join(hidden, ", "), itOrThem(hidden)))
	}
	if r.PrintsErased > 0 {
		notes = append(notes, "print() writes nothing here: the policies are compiled with it only at "+
			"telemetry.log.level debug, and by sidecar eval")
	}
	if r.Incomplete != "" {
		notes = append(notes, r.Incomplete)
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}

const unknownSubject = "input.token.subject.type is unknown, for nothing that is said about the token shows a " +
	"person or a " +
	"program: name a member that only persons, or only programs, have in subject.user or subject.client of the " +
	"issuer, " +
	"or let the policy accept unknown"

func itOrThem(names []string) string {
	if len(names) == 1 {
		return "it"
	}
	return "them"
}

// reference is the whole path of an operand.
func reference(o engine.Operand) string {
	if o.Path != "" {
		return o.Path
	}
	return o.Text
}

// headerOf is the name of the request header that an operand is.
func headerOf(o engine.Operand) (name string, is bool) {
	rest, is := strings.CutPrefix(reference(o), "input.request.headers")
	if !is {
		return "", false
	}
	name = strings.TrimPrefix(rest, ".")
	if inner, ok := strings.CutPrefix(rest, `["`); ok {
		name, _, _ = strings.Cut(inner, `"`)
	}
	name, _, _ = strings.Cut(name, "[")
	return name, name != ""
}

// remedy says what can be done about a decision that no policy made.
func remedy(d authz.Decision) string {
	const page = "see docs/troubleshooting.md#"
	e, _ := errors.AsType[*authz.Error](d.Cause)
	switch d.Kind {
	case authz.Unauthenticated:
		if e != nil && e.Code == "no_credential" {
			return "no policy was asked, for the request has no Authorization header with Bearer or DPoP; " +
				"decision.token: " +
				"optional lets policies decide about such requests"
		}
		return "no policy was asked, for the token may not be used: " + page + "the-token-is-not-accepted"
	case authz.Malformed:
		if strings.Contains(d.Cause.Error(), "ambiguous") {
			return "no policy was asked, for two programs may read the path differently; input.ambiguous_paths: " +
				"accept " +
				"reads it as RFC 3986 says, if the application does so too"
		}
		return "no policy was asked, for the request has no single meaning: " + page + "malformed"
	case authz.Unavailable:
		return "no policy was asked, for nothing is known about the token: " + page + "unavailable"
	case authz.Misconfigured:
		return "the policies or the configuration have to change: " + page + "misconfigured"
	case authz.Allow, authz.Deny, authz.Internal:
	}
	return "the sidecar failed: its log says more, search for the decision id"
}
