package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxDetails bounds the details of an obstacle.
const maxDetails = 20

// report is what t has added up.
func (t *tally) report(begun time.Time) *Report {
	o := t.o
	r := &Report{
		Format: Format, Candidate: policyOf(&o.Candidate), Logs: t.logs,
		Selection: Selection{Since: o.Since, Until: o.Until, Last: o.Last, Sample: o.Sample, Filter: o.Filter},
		First:     t.first, Last: t.last, Totals: t.totals, Changes: t.changes,
		NotReplayable: []Obstacle{}, NotDecided: t.kinds.sorted(maxDetails), Recorded: []RecordedPolicy{},
		By: Breakdown{
			Entrypoints: t.entrypoints.sorted(), Routes: t.routes.sorted(), Clients: t.clients.sorted(),
			Tenants: t.tenants.sorted(), Scopes: t.scopes.sorted(), Reasons: t.reasons.sorted(),
			Rules: RuleTable{Rows: []RuleRow{}, Changed: t.changes.Changed()},
		},
		Examples: []Example{}, Seconds: time.Since(begun).Seconds(),
	}
	if o.Baseline.Policy != nil {
		baseline := policyOf(&o.Baseline)
		r.Baseline = &baseline
	}
	r.PerSecond = float64(t.totals.Replayed) / max(r.Seconds, 1e-9)
	for class, obstacle := range t.obstacles {
		own := *obstacle
		own.Details = t.details[class].sorted(maxDetails)
		r.NotReplayable = append(r.NotReplayable, own)
	}
	slices.SortFunc(r.NotReplayable, func(a, b Obstacle) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(string(a.Class), string(b.Class)))
	})
	for _, p := range t.recorded {
		r.Recorded = append(r.Recorded, *p)
	}
	slices.SortFunc(r.Recorded, func(a, b RecordedPolicy) int {
		return cmp.Or(cmp.Compare(b.Decisions, a.Decisions), strings.Compare(a.Digest, b.Digest))
	})
	r.Notes = t.notes()
	r.check(o.Limits)
	return r
}

func policyOf(s *Side) Policy {
	return Policy{Name: s.Name, Revision: s.Policy.Revision(), Digest: s.Policy.Digest()}
}

// notes are what a reader should know besides.
func (t *tally) notes() (out []string) {
	if t.otherwise > 0 {
		out =
			append(out, fmt.Sprintf("the baseline decides %d of the replayed decisions otherwise than the log says: "+
				"another policy made them", t.otherwise))
	}
	if t.unlogged > 0 {
		out = append(out, fmt.Sprintf("of %d decisions the log lacks the result or parts of it, which were not "+
			"compared",
			t.unlogged))
	}
	return out
}

// text says what the class means.
func (c ObstacleClass) text() string {
	switch c {
	case NoInput:
		return "the event has no input"
	case MaskedInput:
		return "the policies may read members of the input that the log was told to leave out"
	case OtherInput:
		return "the input has another version, or members that this version does not know"
	case EntrypointGone:
		return "the policies have no such entrypoint: a call that asks it is refused"
	case Network:
		return "the decision reads the network, which is never asked in a replay"
	case Machine:
		return "the decision reads the clock of the machine instead of the time of the decision"
	case Deadline:
		return "the evaluation took longer than its deadline, then or now"
	}
	return string(c)
}

// check compares the counts with the limits.
func (r *Report) check(l Limits) {
	gone, may, n := r.gone(), r.Totals.MayAllow, r.Totals.Replayed
	wider := "denied before and allowed now"
	if may > 0 {
		wider += fmt.Sprintf(", or perhaps: %d are denied without the network, which is asked now", may)
	}
	r.Checks = []Check{
		checkOf("max-deny-to-allow", l.DenyToAllow, r.Changes.DenyToAllow+may, n+may, wider),
		checkOf("max-allow-to-deny", l.AllowToDeny, r.Changes.AllowToDeny, n, "allowed before and denied now"),
		checkOf("max-errors", l.Errors, r.Changes.ToError+gone, n+gone, "decided before and an error now"),
		checkOf("max-not-replayable", l.NotReplayable, r.Totals.NotReplayable, n+r.Totals.NotReplayable,
			"cannot be replayed"),
	}
	r.Passed = r.Kept() && (n > 0 || l.Empty == EmptyPasses)
}

// gone is how many decisions asked an entrypoint that is no longer there.
func (r *Report) gone() int {
	for _, o := range r.NotReplayable {
		if o.Class == EntrypointGone {
			return o.Count
		}
	}
	return 0
}

// Compared is how many decisions the limits judge: those that were made anew, and those that the candidate alone keeps
// from that.
func (r *Report) Compared() int { return r.Totals.Replayed + r.Totals.MayAllow + r.gone() }

func checkOf(name string, limit *Limit, actual, of int, what string) Check {
	c := Check{Name: name, Limit: limit.String(), Actual: actual, Of: of, Passed: limit.keeps(actual, of)}
	c.Text = fmt.Sprintf("%d of %d decisions: %s; limit %s", actual, of, what, c.Limit)
	return c
}
