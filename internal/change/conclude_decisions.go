package change

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

// decisions are the requests that both versions decide differently.
func (f *findings) decisions() {
	if f.c.Decisions == nil {
		return
	}
	for _, d := range f.c.Decisions.Findings {
		kind, level := KindAnswer, Plain
		switch d.Class {
		case witness.Wider:
			kind, level = KindWider, Grave
		case witness.Narrower:
			kind, level = KindNarrower, Notable
		default:
		}
		title := requestsOf(d) + ": " + d.Summary
		if d.Grave == "anonymous" {
			title += ", without a token"
		}
		if d.Unreachable != "" {
			level = Plain
			if kind == KindWider {
				level = Notable
			}
			title += "; not reachable today: " + d.Unreachable
		}
		var details []string
		if len(d.Witness.Words) > 0 {
			details = append(details, "with "+strings.Join(d.Witness.Words, "; "))
		}
		if len(d.OnlyOld) > 0 {
			details = append(details, "no longer asked: "+strings.Join(d.OnlyOld, "; "))
		}
		if len(d.OnlyNew) > 0 {
			details = append(details, "newly asked: "+strings.Join(d.OnlyNew, "; "))
		}
		about := []string{d.Entrypoint, string(d.Class), d.Summary}
		for _, p := range d.Places {
			about = append(about, p.Method+" "+p.Path)
		}
		f.add(kind, level, slices.Concat(about, d.OnlyOld, []string{"|"}, d.OnlyNew), title, details...)
	}
	for _, e := range f.c.Decisions.Entrypoints {
		if e.Times > 0 {
			f.c.Open = append(f.c.Open, fmt.Sprintf("%s reads the clock: it is compared as of %s, and %d other times "+
				"were tried", e.Path, f.c.Decisions.Now.Format(time.RFC3339), e.Times-1))
		}
		if e.Open+e.Left > 0 {
			line := fmt.Sprintf("%s: of %s of requests %d may be wider, as there is neither a proof nor a witness, and "+
				"%d were not looked at in time", e.Path, counted(e.Shapes, "shape"), e.Open, e.Left)
			if len(e.Reasons) > 0 {
				line += "; such as " + e.Reasons[0].Example + ": " + e.Reasons[0].Text
			}
			f.c.Open = append(f.c.Open, line)
		}
	}
}

// requestsOf are the requests of a finding, in words.
func requestsOf(d witness.Finding) string {
	if d.Everywhere {
		return "every request"
	}
	var out []string
	for i := 0; i < len(d.Places); {
		p, n := d.Places[i], 1
		for i+n < len(d.Places) && p.Route != "" && d.Places[i+n].Route == p.Route {
			n++
		}
		for _, other := range d.Places[i : i+n] {
			if strings.Contains(other.Path, "*") {
				p = other // stands for all paths of the route; the example is below the title
				break
			}
		}
		line := cmp.Or(strings.TrimSpace(p.Method+" "+p.Path), d.Entrypoint)
		if n > 1 {
			line += fmt.Sprintf(" and %d more", n-1)
		}
		if p.Route != "" {
			line += " (" + p.Route + ")"
		}
		out = append(out, line)
		i += n
	}
	if len(out) == 0 {
		return d.Entrypoint
	}
	return listed(out, 2)
}

// routes are rows of the matrix that differ and that no witness tells.
func (f *findings) routes() {
	if f.c.Access == nil {
		return
	}
	for _, r := range f.c.Access.Rows {
		// Conditions in other words may be the same: proofs and witnesses know, where none is missing.
		if f.told(r) || f.decided() && len(r.Gained)+len(r.Lost) == 0 {
			continue
		}
		name := strings.TrimSpace(r.Method + " " + r.Path)
		if r.Route != "" {
			name += " (" + r.Route + ")"
		}
		about := []string{"row", r.Method, r.Path, string(r.How), string(r.Direction)}
		switch {
		case len(r.Gained) > 0:
			f.add(KindWider, Grave, append(about, r.Gained...),
				name+": allowed now for tokens of the suites that were denied",
				"with "+listed(r.Gained, 6))
		case r.Direction == IsWider || r.Direction == IsBoth:
			f.add(KindWider, Notable, about, name+": asks for other or fewer things by its conditions; no witness "+
				"was found")
		case len(r.Lost) > 0:
			f.add(KindNarrower, Notable, append(about, r.Lost...),
				name+": denied now for tokens of the suites that were allowed", "with "+listed(r.Lost, 6))
		default:
			f.add(KindNarrower, Plain, about, name+": asks for more things, or for others")
		}
	}
}

// decided reports whether each shape of requests is proved alike or has a witness.
func (f *findings) decided() bool {
	return f.c.Decisions != nil && len(f.c.Decisions.Entrypoints) > 0 &&
		!slices.ContainsFunc(f.c.Decisions.Entrypoints, func(e witness.Entrypoint) bool { return e.Open+e.Left > 0 })
}

// told reports whether a witness is about the row already.
func (f *findings) told(r Row) bool {
	if f.c.Decisions == nil {
		return false
	}
	return slices.ContainsFunc(f.c.Decisions.Findings, func(d witness.Finding) bool {
		return d.Everywhere || slices.ContainsFunc(d.Places, func(p witness.Place) bool {
			return p.Method == r.Method && (p.Path == r.Path || p.Route != "" && p.Route == r.Route)
		})
	})
}

// recorded are the recorded decisions that flip.
func (f *findings) recorded() {
	if f.c.Replay == nil {
		return
	}
	n := f.c.Replay.Changes
	for _, flips := range []struct {
		n     int
		class replay.Class
		kind  Kind
		level Level
		what  string
	}{
		{n.DenyToAllow, replay.DenyToAllow, KindWider, Grave, "allowed now, and denied before"},
		{n.AllowToDeny, replay.AllowToDeny, KindNarrower, Notable, "denied now, and allowed before"},
		{n.ToError, replay.ToError, KindNarrower, Notable, "without a verdict now"},
		{n.FromError, replay.FromError, KindAnswer, Plain, "decided now, and without a verdict before"},
		{n.AnswerChanged, replay.AnswerChanged, KindAnswer, Plain, "answered otherwise"},
	} {
		if flips.n == 0 {
			continue
		}
		f.add(flips.kind, flips.level, []string{"replay", string(flips.class)},
			fmt.Sprintf("%s of %d %s %s", counted(flips.n, "recorded decision"), f.c.Replay.Totals.Replayed,
				are(flips.n), flips.what), f.examples(flips.class)...)
	}
}

// examples are recorded decisions of a class, two at most.
func (f *findings) examples(class replay.Class) (out []string) {
	for _, e := range f.c.Replay.Examples {
		if e.Class != class || len(out) == 2 {
			continue
		}
		line := "with " + strings.TrimSpace(e.Method+" "+e.Path)
		if e.Client != "" {
			line += "; client " + e.Client
		}
		if e.Tenant != "" {
			line += "; tenant " + e.Tenant
		}
		if len(e.Scopes) > 0 {
			line += "; scopes " + strings.Join(e.Scopes, " ")
		}
		out = append(out, line+"; decision "+e.DecisionID)
	}
	return out
}
