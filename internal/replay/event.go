package replay

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision/recorded"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// event is a recorded decision, ready to be decided anew.
type event struct {
	id         string
	time       time.Time
	entrypoint string
	// doc is nil where the event has no document that can be read; why then says why, and obstacle its class.
	doc      *input.Document
	obstacle ObstacleClass
	why      string

	was Answer
	// result is what the policy returned, as JSON, or nil; noResult is set where it was to be logged and is not.
	result   jsontext.Value
	noResult bool
	// erased and masked are pointers to parts of the event that are not those of the decision.
	erased, masked []string

	asked  bool // a policy was asked
	digest string
	// revisions are "name=revision", sorted.
	revisions []string
}

// line is decisionlog.Event whose document is read in the same pass.
type line struct {
	DecisionID string                     `json:"decision_id"`
	Time       time.Time                  `json:"timestamp"`
	Path       string                     `json:"path"`
	Bundles    map[string]authz.BundleRef `json:"bundles"`
	Input      document                   `json:"input"`
	Result     jsontext.Value             `json:"result"`
	Erased     []string                   `json:"erased"`
	Masked     []string                   `json:"masked"`
	Error      decisionlog.EventError     `json:"error"`
	Facts      decisionlog.Facts          `json:"custom"`
}

// document is a document within an event.
type document struct {
	input.Document
	present bool
}

// UnmarshalJSONFrom reads a document as input.Parse does.
func (d *document) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	d.present = true
	return json.UnmarshalDecode(from, &d.Document, json.RejectUnknownMembers(true))
}

// read reads the line of a log. The error says why it is no event.
func read(b []byte) (*event, error) {
	if jsontext.Value(b).Kind() != '{' {
		return nil, errors.New("it is no JSON object")
	}
	var l line
	if err := json.Unmarshal(b, &l); err != nil || l.DecisionID == "" || l.Time.IsZero() ||
		!l.Input.present || l.Input.Version != input.Version {
		return readParts(b)
	}
	e := &decisionlog.Event{
		DecisionID: l.DecisionID, Time: l.Time, Path: l.Path, Bundles: l.Bundles, Input: jsontext.Value(present),
		Result: l.Result, Erased: l.Erased, Masked: l.Masked, Error: l.Error, Facts: l.Facts,
	}
	out := eventOf(e)
	out.doc = &l.Input.Document
	return out, nil
}

// present stands for a document that was read elsewhere.
const present = "{}"

// readParts reads an event whose document cannot be read, or that is no event.
func readParts(b []byte) (*event, error) {
	e, err := decisionlog.ParseEvent(b)
	if err != nil {
		return nil, err
	}
	out := eventOf(e)
	if out.doc, err = e.Document(); err == nil {
		return out, nil
	}
	out.why = strings.TrimPrefix(err.Error(), "read event: ")
	switch {
	case e.Input == nil:
		out.obstacle = NoInput
	case len(e.Missing()) > 0:
		out.obstacle = MaskedInput
	default:
		out.obstacle = OtherInput
	}
	return out, nil
}

func eventOf(e *decisionlog.Event) *event {
	out := &event{
		id: e.DecisionID, time: e.Time, entrypoint: e.Path, result: e.Result, erased: e.Erased, masked: e.Masked,
		noResult: e.Facts.ResultError != "" || e.Facts.MaskError != "" || slices.Contains(e.Erased, "/result"),
		asked:    e.Facts.Type == "" && recorded.AskedPolicy(e), digest: e.Facts.PolicyDigest,
		was: Answer{Kind: e.Facts.Kind, Status: e.Facts.Status, Cause: e.Error.Message},
	}
	for _, r := range e.Facts.Reasons {
		out.was.Reasons = append(out.was.Reasons, Reason{r.Code, r.Message})
	}
	for name, b := range e.Bundles {
		out.revisions = append(out.revisions, name+"="+b.Revision)
	}
	slices.Sort(out.revisions)
	return out
}

// ofRecord is the event of a decision that was kept in memory.
func ofRecord(r *decisionlog.Record) *event {
	out := &event{
		id: r.DecisionID, time: r.Time, entrypoint: r.Path, digest: r.PolicyDigest,
		was: Answer{Kind: r.Kind.String(), Status: r.Status, Reasons: reasonsOf(r.Reasons)},
	}
	if r.Cause != nil {
		out.was.Cause = r.Cause.Error()
	}
	out.doc, _ = r.Input.(*input.Document)
	switch r.Kind {
	case authz.Allow, authz.Deny:
		out.asked = true
	case authz.Misconfigured, authz.Internal:
		out.asked = out.doc != nil
	case authz.Unauthenticated, authz.Malformed, authz.Unavailable:
	}
	if out.doc == nil {
		out.obstacle, out.why = NoInput, "the record has no document"
	}
	if r.Result != nil {
		var err error
		out.result, err = r.Result.AppendJSON(nil)
		out.noResult = err != nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.Bundles)) {
		out.revisions = append(out.revisions, name+"="+r.Bundles[name].Revision)
	}
	return out
}

// reasonsOf are reasons as the decision log has them.
func reasonsOf(reasons []authz.Reason) []Reason {
	var out []Reason
	for _, r := range reasons {
		out = append(out, Reason{logged(r.Code), logged(r.Message)})
	}
	return out
}

// logged is a text as the decision log has it: bytes that are not UTF-8 are replaced.
func logged(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	quoted, _ := jsontext.AppendQuote(nil, s)
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return string(text)
}
