package replay

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/decision/summary"
)

// WriteJSON writes the report as one JSON object, indented.
func (r *Report) WriteJSON(w io.Writer) error {
	err := json.MarshalWrite(w, r, jsontext.WithIndent("  "), json.Deterministic(true),
		jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

// WriteText writes the report for a terminal: the verdict and the numbers, then the changes, the gravest first. It
// holds nothing that changes how a terminal shows it.
func (r *Report) WriteText(w io.Writer) error {
	t := &text{r: r}
	t.head()
	t.numbers()
	t.obstacles()
	t.table("by route", r.By.Routes)
	t.rules()
	t.examples()
	t.table("by client", r.By.Clients)
	t.table("by tenant", r.By.Tenants)
	t.table("by scope", r.By.Scopes)
	t.table("by reason, gone (-) or new (+)", r.By.Reasons)
	t.coverage()
	_, err := io.WriteString(w, t.b.String())
	return err
}

// text writes a report for a terminal.
type text struct {
	r *Report
	b strings.Builder
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(&t.b, format+"\n", args...) }

// shown is a text of the log or of policies.
func shown(s string) string { return summary.Shown(s, 100) }

func (t *text) head() {
	r := t.r
	t.line("%s", r.Verdict())
	for _, c := range r.Checks {
		if !c.Passed {
			t.line("  --%s: %s", c.Name, c.Text)
		}
	}
	t.line("")
	t.line("candidate   %s", r.Candidate.text())
	against := "the answers in the log"
	if r.Baseline != nil {
		against = r.Baseline.text()
	}
	t.line("against     %s", against)
	for _, l := range r.Logs {
		if l.Name != "" {
			t.line("log         %s: %s, %d events", shown(l.Name), size(l.Bytes), l.Events)
		}
		if l.FirstBad != "" {
			t.line("            lines that are no events begin with %s", shown(l.FirstBad))
		}
	}
	if !r.First.IsZero() {
		t.line("decisions   from %s to %s", clock(r.First), clock(r.Last))
	}
	for i, p := range r.Recorded {
		if i == maxShown {
			t.line("            and by %d more", len(r.Recorded)-i)
			break
		}
		t.line("recorded by %s: %d decisions", p.text(), p.Decisions)
		if len(p.Revisions) > 0 {
			t.line("            %s", shown(strings.Join(p.Revisions, ", ")))
		}
	}
}

// Verdict is the outcome in a line.
func (r *Report) Verdict() string {
	n, word := &r.Totals, "REFUSED"
	switch {
	case r.Partial != "":
		word = "PARTIAL (" + r.Partial + ")"
	case r.Passed:
		word = "PASSED"
	case n.Replayed == 0 && r.Kept():
		word = "NOTHING REPLAYED"
	}
	switch {
	case n.Replayed == 0:
		return fmt.Sprintf("%s: of %d events, %d are not among what was asked for, no policy decided %d, and %d are "+
			"not "+
			"replayable", word, n.Events, n.Outside, n.NotDecided, n.NotReplayable)
	case r.Changes.Changed() == 0:
		return fmt.Sprintf("%s: none of %d replayed decisions changes", word, n.Replayed)
	}
	return fmt.Sprintf("%s: %d of %d replayed decisions change, %d from deny to allow", word, r.Changes.Changed(),
		n.Replayed, r.Changes.DenyToAllow)
}

// Kept reports whether all limits are kept.
func (r *Report) Kept() bool {
	return !slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.Passed })
}

func (p Policy) text() string { return fmt.Sprintf("%s (%s)", shown(p.Name), shortDigest(p.Digest)) }

func (p RecordedPolicy) text() string {
	s := "an unnamed policy"
	if p.Digest != "" {
		s = shortDigest(p.Digest)
	}
	if p.Candidate {
		s += ", which is the candidate"
	}
	return s
}

// shortDigest is the beginning of a digest.
func shortDigest(digest string) string {
	return summary.Shown(digest[:min(len(digest), len("sha256:")+12)], 40)
}

func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") + " UTC" }

func size(n int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB"}
	v := float64(n)
	i := 0
	for ; v >= 1000 && i < len(units)-1; i++ {
		v /= 1000
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// Words names a class for people.
func (c Class) Words() string {
	return map[Class]string{DenyToAllow: "deny to allow", AllowToDeny: "allow to deny", ToError: "to error",
		FromError: "from error", AnswerChanged: "answer changed", Unchanged: "unchanged"}[c]
}

func (t *text) numbers() {
	r := t.r
	t.line("")
	for _, class := range Classes {
		t.line("%8d  %s", r.Changes.Of(class), class.Words())
	}
	row := func(n int, format string, args ...any) {
		if n > 0 {
			t.line("%8d  %s", n, fmt.Sprintf(format, args...))
		}
	}
	row(r.Totals.NotReplayable, "not replayable")
	var kinds []string
	for _, k := range r.NotDecided {
		kinds = append(kinds, fmt.Sprintf("%s %d", shown(k.Name), k.Count))
	}
	row(r.Totals.NotDecided, "not decided by a policy: %s", strings.Join(kinds, ", "))
	row(r.Totals.Outside, "outside of what was asked for")
	row(r.Totals.BadLines, "lines that are no events")
	t.line("")
	t.line("%d decisions in %.1f s: %.0f a second", r.Totals.Replayed, r.Seconds, r.PerSecond)
	for _, n := range r.Notes {
		t.line("note: %s", n)
	}
}

// maxShown bounds the rows of each part.
const maxShown = 10

func (t *text) obstacles() {
	if len(t.r.NotReplayable) > 0 {
		t.line("\nnot replayable:")
	}
	for _, o := range t.r.NotReplayable {
		t.line("%8d  %s: %s", o.Count, o.Class, o.Text)
		for i, d := range o.Details {
			if i == 3 {
				t.line("%8s  and %d more", "", len(o.Details)-i)
				break
			}
			t.line("%8s  %d: %s", "", d.Count, shown(d.Name))
		}
		t.line("%8s  such as %s", "", shown(o.Example.DecisionID))
	}
}

func (t *text) table(title string, of Table) {
	if len(of.Rows) > 0 {
		t.line("\n%s:", title)
	}
	for i, row := range of.Rows {
		if i == maxShown {
			t.line("%8s  and %d more", "", len(of.Rows)-i+of.LeftRows)
			break
		}
		t.line("%8d  %s: %s", row.Counts.Changed(), shownName(row.Name), row.Counts.text(row.Decisions))
	}
}

func (t *text) rules() {
	rules := &t.r.By.Rules
	if len(rules.Rows) > 0 {
		t.line("\nby the rule that decides now (%d of %d changed decisions were explained):", rules.Explained,
			rules.Changed)
	}
	for i, row := range rules.Rows {
		if i == maxShown {
			t.line("%8s  and %d more", "", len(rules.Rows)-i)
			break
		}
		t.line("%8d  %s: %s", row.Counts.Changed(), row.text(), row.Counts.text(0))
	}
}

func shownName(name string) string {
	if name == "" {
		return "(none)"
	}
	return shown(name)
}

// text names the counts of changes, and of how many decisions, when that is not 0.
func (c *Counts) text(of int) string {
	var parts []string
	for _, class := range Classes[:len(Classes)-1] {
		if n := c.Of(class); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, class.Words()))
		}
	}
	s := strings.Join(parts, ", ")
	if of > 0 {
		s += fmt.Sprintf(", of %d", of)
	}
	return s
}

func (r *Rule) text() string {
	s := shown(r.Rule)
	if r.Part != "" {
		s += " (" + r.Part + ")"
	}
	if r.File != "" {
		s += fmt.Sprintf(" %s:%d", shown(r.File), r.Row)
	}
	return s
}
