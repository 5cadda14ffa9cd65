package reports

import (
	"fmt"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/page"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

// Replay is the page about recorded decisions that were made anew.
func Replay(r *replay.Report) page.Document {
	d := page.Document{Title: "Replay of recorded decisions", Label: "PASSED", Tone: page.Good,
		Verdict: replayVerdict(r)}
	switch {
	case !r.Passed:
		d.Label, d.Tone = "REFUSED", page.Bad
	case r.Changes.Changed() > 0:
		d.Tone = page.Info
	}
	for _, class := range replay.Classes {
		d.Counts = append(d.Counts, page.Count{N: r.Changes.Of(class), Of: className(class), Tone: classTone(class),
			To: "examples"})
	}
	d.Head = []page.Block{compared(r), checks(r)}
	if r.Partial != "" {
		d.Under = append(d.Under, page.Say("Not all of the log was replayed: "+r.Partial+"."))
	}
	for _, note := range r.Notes {
		d.Under = append(d.Under, page.Say(note))
	}
	for _, s := range [][]page.Section{examples(r), breakdown(r), unreplayed(r), coverage(r), sources(r)} {
		d.Sections = append(d.Sections, s...)
	}
	d.End = []page.Fact{{Name: "candidate", Value: page.Code(r.Candidate.Digest)}}
	if r.Baseline != nil {
		d.End = append(d.End, page.Fact{Name: "baseline", Value: page.Code(r.Baseline.Digest)})
	}
	d.End = append(d.End, page.Fact{Name: "this report", Value: page.Join(page.Code(digest(r)),
		page.Say("(over its canonical JSON, RFC 8785)"))},
		page.Fact{Name: "speed", Value: page.Say(fmt.Sprintf("%s in %.1f seconds",
			plural(r.Totals.Replayed, "decision",
				"decisions"), r.Seconds))})
	return d
}

func replayVerdict(r *replay.Report) string {
	n := r.Totals.Replayed
	switch c := r.Changes; {
	case n == 0:
		return "No recorded decision was made anew"
	case c.DenyToAllow > 0:
		return plural(c.DenyToAllow, "request that was denied would be allowed",
			"requests that were denied would be allowed")
	case c.AllowToDeny > 0:
		return plural(c.AllowToDeny, "request that was allowed would be denied",
			"requests that were allowed would be denied")
	case c.Changed() > 0:
		return plural(c.Changed(), "decision would change", "decisions would change") +
			", and none from deny to allow or back"
	}
	return "All " + plural(n, "decision is", "decisions are") + " the same"
}

func className(c replay.Class) string { return strings.ReplaceAll(string(c), "_", " ") }

func classTone(c replay.Class) page.Tone {
	switch c {
	case replay.DenyToAllow:
		return page.Bad
	case replay.AllowToDeny, replay.ToError:
		return page.Warn
	case replay.FromError, replay.AnswerChanged:
		return page.Info
	case replay.Unchanged:
	}
	return page.Neutral
}

// compared says what was compared with what.
func compared(r *replay.Report) page.Block {
	policy := func(p replay.Policy) page.Text {
		return page.Join(page.Code(p.Name), page.Say("revision"), page.Code(p.Revision), page.Code(p.Digest))
	}
	facts := page.Facts{{Name: "candidate", Value: policy(r.Candidate)}}
	if r.Baseline != nil {
		facts = append(facts, page.Fact{Name: "compared with", Value: policy(*r.Baseline)})
	} else {
		facts = append(facts, page.Fact{Name: "compared with", Value: page.Say("what the log says")})
	}
	t := r.Totals
	said := page.Say(plural(t.Events, "event: ", "events: ") + page.Number(t.Replayed) + " decided anew, " +
		page.Number(t.NotReplayable) + " not replayable, " + page.Number(t.NotDecided) + " decided by no policy, " +
		page.Number(t.Outside) + " outside of the selection")
	facts = append(facts, page.Fact{Name: "decisions", Value: said})
	if !r.First.IsZero() {
		facts = append(facts, page.Fact{Name: "recorded", Value: page.Say(moment(r.First) + " to " + moment(r.Last))})
	}
	return facts
}

// checks are the limits, each with what was counted.
func checks(r *replay.Report) page.Block {
	t := page.Table{Caption: "Gate", Columns: []string{"", "Limit", "Counted", "Allowed", "In words"}}
	for _, c := range r.Checks {
		result := page.Tagged("passed", page.Good)
		if !c.Passed {
			result = page.Tagged("refused", page.Bad)
		}
		t.Rows = append(t.Rows, []page.Text{result, page.Code(c.Name),
			page.Say(page.Number(c.Actual) + " of " + page.Number(c.Of)),
			page.Say(c.Limit), page.Say(c.Text)})
	}
	if len(t.Rows) == 0 {
		return page.Paragraph(page.Say("No limit was given."))
	}
	return t
}

// traffic is the part of a review about recorded decisions.
func traffic(c *change.Change) []page.Section {
	r := c.Replay
	if r == nil {
		return nil
	}
	s := page.Section{ID: "traffic", Title: "Recorded traffic", Count: r.Changes.Changed(),
		Note: page.Say(replayVerdict(r) + ".")}
	s.Blocks = append(s.Blocks, compared(r))
	for _, part := range [][]page.Section{examples(r), breakdown(r), unreplayed(r), coverage(r)} {
		for _, p := range part {
			s.Blocks = append(s.Blocks, page.Folded{Title: page.Say(p.Title), Blocks: p.Blocks})
		}
	}
	return []page.Section{s}
}
