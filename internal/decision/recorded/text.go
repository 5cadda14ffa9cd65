package recorded

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/decision/summary"
)

// Text says in a few lines what was recorded, what is missing, and what the present policies, which were read from
// places, say now. It holds nothing that changes how a terminal shows it.
func (r *Report) Text(places string) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	e := r.Event
	line("recorded", "%s  %s", r.outcome(), r.Summary().About())
	when := "at " + e.Time.UTC().Format(time.RFC3339Nano)
	if e.RequestedBy != "" {
		when += ", asked by " + summary.Shown(e.RequestedBy, 60)
	}
	line("when", "%s", when)
	line("policy", "%s", r.policy())
	if len(r.Missing) > 0 {
		line("missing", "%s: the decision log was told to leave it out, and rules that read it may answer otherwise",
			summary.Shown(strings.Join(r.Missing, ", "), 400))
	}
	if r.Anew != nil && r.Anew.Network {
		line("builtins", "the policies may call other servers (engine.allow_builtins): what these answer is of now")
	}
	if r.Anew != nil {
		line("now", "by the policies of %s%s", summary.Shown(places, 200), r.compared())
	}
	return b.String()
}

// policy names the policies that decided then.
func (r *Report) policy() string {
	e := r.Event
	text := summary.Shown(e.Path, 120)
	for _, name := range slices.Sorted(maps.Keys(e.Bundles)) {
		text += ", " + summary.Shown(name, 60)
		if revision := e.Bundles[name].Revision; revision != "" {
			text += "=" + summary.Shown(revision, 60)
		}
	}
	if e.Facts.PolicyDigest != "" {
		text += ", " + short(e.Facts.PolicyDigest)
	}
	return text
}

// short is the beginning of a digest.
func short(digest string) string {
	const most = len("sha256:") + 12
	if len(digest) > most {
		digest = digest[:most]
	}
	return summary.Shown(digest, most)
}

// compared says how the decision that was made anew and the recorded one compare.
func (r *Report) compared() string {
	which := ", which are the recorded ones: "
	switch digest := short(r.Anew.Decision.Policy.Digest); {
	case r.Anew.SamePolicy:
	case r.Event.Facts.PolicyDigest == "":
		which = " (" + digest + "; the event does not say which decided then): "
	case r.Anew.SameNames:
		which = ", which differ from the recorded ones (" + digest + "): "
	default:
		which = ", which have another digest, if only by the names of their directories (" + digest + "): "
	}
	switch {
	case r.Anew.SameResult:
		return which + "the same answer"
	case r.Anew.Same:
		return which + "the same answer, with other members in the result"
	}
	return which + r.Anew.summary().Outcome() + "; recorded: " + r.outcome()
}

// outcome is what was decided then. The event of another program only has a result.
func (r *Report) outcome() string {
	if r.Event.Facts.Kind == "" {
		return "result " + summary.Shown(string(r.Event.Result), 200)
	}
	return r.Summary().Outcome()
}
