package recorded

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/explain"
)

// report is the JSON form of a Report.
type report struct {
	DecisionID string    `json:"decision_id"`
	Time       time.Time `json:"time"`
	Path       string    `json:"path"`
	Recorded   outcome   `json:"recorded"`
	// Missing is always there; Now and what it is compared by only when the question was decided anew.
	Missing    []string `json:"missing"`
	Now        *outcome `json:"now,omitzero"`
	SamePolicy *bool    `json:"same_policy,omitzero"`
	SameAnswer *bool    `json:"same_answer,omitzero"`
	SameResult *bool    `json:"same_result,omitzero"`
	// Explanation and Text are those of POST /v1/explain.
	Explanation *explain.Report `json:"explanation,omitzero"`
	Text        string          `json:"text,omitzero"`
}

// outcome is a decision in a report.
type outcome struct {
	Kind         string                    `json:"kind"`
	Status       int                       `json:"status"`
	Reasons      []decisionlog.EventReason `json:"reasons"`
	Cause        string                    `json:"cause,omitzero"`
	PolicyDigest string                    `json:"policy_digest,omitzero"`
}

// JSON returns the report as one JSON object, indented.
func (r *Report) JSON() ([]byte, error) {
	e := r.Event
	out := report{
		DecisionID: e.DecisionID, Time: e.Time, Path: e.Path, Missing: r.Missing,
		Recorded: outcome{e.Facts.Kind, e.Facts.Status, e.Facts.Reasons, e.Error.Message, e.Facts.PolicyDigest},
	}
	if a := r.Anew; a != nil {
		out.Now = outcomeOf(&a.Decision)
		out.SamePolicy, out.SameAnswer, out.SameResult = &a.SamePolicy, &a.Same, &a.SameResult
	}
	if out.Explanation = r.Why(); out.Explanation != nil {
		out.Text = out.Explanation.Brief("explanation has all")
	}
	return json.Marshal(out, jsontext.WithIndent("  "), json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}

func outcomeOf(d *authz.Decision) *outcome {
	out := &outcome{Kind: d.Kind.String(), Status: d.Status, PolicyDigest: d.Policy.Digest}
	for _, r := range d.Reasons {
		out.Reasons = append(out.Reasons, decisionlog.EventReason{Code: r.Code, Message: r.Message})
	}
	if d.Cause != nil {
		out.Cause = d.Cause.Error()
	}
	return out
}
