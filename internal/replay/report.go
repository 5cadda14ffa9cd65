// Package replay decides recorded decisions anew by other policies, and tells what would change.
//
//	report, err := replay.Run(ctx, events, replay.Options{Candidate: replay.Side{Name: "policies", Policy: p}})
package replay

import "time"

// Format is the value of Report.Format.
const Format = "sidecar-replay/1"

// Report is what a replay found. Its JSON form is stable: members are added, not changed. Texts and values come from
// the log and from policies, and are escaped where they are shown.
type Report struct {
	Format string `json:"format"`
	// Candidate is the policy that decided anew. Baseline is the one it is compared with; nil where that is what the
	// log says.
	Candidate Policy  `json:"candidate"`
	Baseline  *Policy `json:"baseline,omitempty"`
	// Logs are what was read, in its order.
	Logs []Log `json:"logs"`
	// Selection says which events were asked for.
	Selection Selection `json:"selection"`
	// First and Last are the times of the earliest and the latest of the selected decisions.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Partial says why not all was replayed: "interrupted" or "out of time"; empty when all was.
	Partial string `json:"partial,omitzero"`

	Totals  Totals  `json:"totals"`
	Changes Counts  `json:"changes"`
	Checks  []Check `json:"checks"`
	// Passed is set when all Checks are, and something was replayed.
	Passed bool `json:"passed"`

	// NotReplayable says why events were not decided anew, the most frequent class first.
	NotReplayable []Obstacle `json:"not_replayable"`
	// NotDecided counts the decisions that no policy made, by kind: a token that may not be used, an outage.
	NotDecided []Count `json:"not_decided"`
	// Recorded counts the replayed decisions by the policy that made them, the most frequent first.
	Recorded []RecordedPolicy `json:"recorded"`

	By Breakdown `json:"by"`
	// Examples are some decisions of each class, the gravest class first.
	Examples []Example `json:"examples"`
	Coverage Coverage  `json:"coverage"`
	// Notes are what a reader should know besides, in words.
	Notes []string `json:"notes,omitempty"`

	Seconds float64 `json:"seconds"`
	// PerSecond is how many decisions were made anew in a second.
	PerSecond float64 `json:"per_second"`
}

// Policy names a policy.
type Policy struct {
	// Name is what the command was given, such as "policies,bundles/example".
	Name     string `json:"name"`
	Revision string `json:"revision"`
	Digest   string `json:"digest"`
}

// Log is one log that was read.
type Log struct {
	// Name is that of the file, or "-" for standard input.
	Name string `json:"name"`
	// Bytes and Lines are how much of it was read; bytes of a compressed file are those on disk.
	Bytes int64 `json:"bytes"`
	Lines int   `json:"lines"`
	// Events is how many of the lines are events.
	Events int `json:"events"`
	// FirstBad is the first line that is no event, and why; empty when all are.
	FirstBad string `json:"first_bad,omitzero"`
}

// Selection says which events were asked for; members that are zero ask for nothing.
type Selection struct {
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Last   int       `json:"last,omitzero"`
	Sample int       `json:"sample,omitzero"`
	Filter
}

// Totals count events. Events = Outside + NotDecided + NotReplayable + Replayed.
type Totals struct {
	Events int `json:"events"`
	// Outside is how many the selection left out.
	Outside int `json:"outside"`
	// NotDecided is how many no policy decided, NotReplayable how many could not be decided anew.
	NotDecided    int `json:"not_decided"`
	NotReplayable int `json:"not_replayable"`
	Replayed      int `json:"replayed"`
	// MayAllow is how many of NotReplayable the baseline denies, while the candidate would ask the network or the
	// machine about them: it may allow them. The limit on DenyToAllow counts them.
	MayAllow int `json:"may_allow,omitzero"`
	// BadLines is how many lines of the logs are no events.
	BadLines int `json:"bad_lines"`
}

// Class says how the decision that was made anew compares with the other one.
type Class string

// The classes, the gravest first.
const (
	DenyToAllow Class = "deny_to_allow"
	AllowToDeny Class = "allow_to_deny"
	// ToError is a decision that the candidate gives no verdict for: misconfigured or internal.
	ToError Class = "to_error"
	// FromError is a decision for which only the candidate gives a verdict.
	FromError Class = "from_error"
	// AnswerChanged is the same kind of decision with another status, other reasons, or another result.
	AnswerChanged Class = "answer_changed"
	Unchanged     Class = "unchanged"
)

// Classes lists every class, the gravest first.
var Classes = [...]Class{DenyToAllow, AllowToDeny, ToError, FromError, AnswerChanged, Unchanged}

// Counts are decisions by class.
type Counts struct {
	DenyToAllow   int `json:"deny_to_allow"`
	AllowToDeny   int `json:"allow_to_deny"`
	ToError       int `json:"to_error"`
	FromError     int `json:"from_error"`
	AnswerChanged int `json:"answer_changed"`
	Unchanged     int `json:"unchanged"`
}

// Of is the count of a class.
func (c *Counts) Of(class Class) int { return *c.of(class) }

// All counts the decisions of every class.
func (c *Counts) All() int { return c.Changed() + c.Unchanged }

// Changed counts the decisions of every class but Unchanged.
func (c *Counts) Changed() int {
	return c.DenyToAllow + c.AllowToDeny + c.ToError + c.FromError + c.AnswerChanged
}

func (c *Counts) of(class Class) *int {
	switch class {
	case DenyToAllow:
		return &c.DenyToAllow
	case AllowToDeny:
		return &c.AllowToDeny
	case ToError:
		return &c.ToError
	case FromError:
		return &c.FromError
	case AnswerChanged:
		return &c.AnswerChanged
	case Unchanged:
	}
	return &c.Unchanged
}

// Count is how often a name occurred.
type Count struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// RecordedPolicy is a policy that made recorded decisions.
type RecordedPolicy struct {
	// Revisions are "name=revision" of its bundles, sorted; Digest is empty in events of other programs.
	Revisions []string `json:"revisions"`
	Digest    string   `json:"digest"`
	Decisions int      `json:"decisions"`
	// Candidate is set when it is the candidate, by its digest.
	Candidate bool `json:"is_candidate,omitzero"`
}

// Check is a limit on one count: the gate.
type Check struct {
	// Name is that of the flag without dashes: "max-deny-to-allow".
	Name string `json:"name"`
	// Limit is as it was given: "0", "2%", or "none".
	Limit  string `json:"limit"`
	Actual int    `json:"actual"`
	// Of is what Limit is a share of.
	Of     int  `json:"of"`
	Passed bool `json:"passed"`
	// Text is the check in words.
	Text string `json:"text"`
}
