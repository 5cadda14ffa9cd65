// Package recorded explains decisions of a decision log: from the event alone, or by deciding anew.
package recorded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/summary"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/explain"
)

// Report is what there is to say of a recorded decision.
type Report struct {
	Event *decisionlog.Event
	// Missing are JSON pointers to what of the document is not in the event.
	Missing []string
	// Anew is what the present policies make of the question; nil when no policy was asked then.
	Anew *Anew
}

// Anew is a decision that was made anew.
type Anew struct {
	decision.Reconsidered
	// SamePolicy is set when the present policies are the recorded ones, by their digest.
	SamePolicy bool
	// SameNames is set when they were read from directories of the same names, which are part of the digest.
	SameNames bool
	// Same is set when kind, status and reasons are the recorded ones.
	Same bool
	// Network is set when the policies may call other servers, which were called anew.
	Network bool
	// SameResult is set when the policy returned what the event has, in every member.
	SameResult bool
}

// Why explains the decision that was made anew, or the recorded one by its cause where no policy was asked. It is nil
// when neither is known.
func (r *Report) Why() *explain.Report {
	var why explain.Report
	switch {
	case r.Anew != nil:
		why = explain.Of(r.Anew.Decision, r.Anew.Explanation, explain.Facts{})
	case AskedPolicy(r.Event):
		return nil
	default:
		why = explain.Of(refusal(r.Event), engine.Explanation{}, explain.Facts{})
	}
	return &why
}

// refusal is the decision of an event that no policy made.
func refusal(e *decisionlog.Event) authz.Decision {
	d := authz.Decision{ID: e.DecisionID, Kind: kindOf(e.Facts.Kind), Status: e.Facts.Status,
		Reasons: reasonsOf(e.Facts.Reasons)}
	cause := authz.Error{Kind: d.Kind, Err: errors.New(e.Error.Message)}
	if e.Error.Message == "" {
		cause.Err = errors.New("the event does not say why")
	}
	if len(d.Reasons) > 0 {
		cause.Code = d.Reasons[0].Code
	}
	d.Cause = &cause
	return d
}

func reasonsOf(logged []decisionlog.EventReason) []authz.Reason {
	var out []authz.Reason
	for _, r := range logged {
		out = append(out, authz.Reason{Code: r.Code, Message: r.Message})
	}
	return out
}

// AskedPolicy reports whether the decision of e was, or was to be, that of a policy. Others follow from the request
// and its token, and their cause is in the event.
func AskedPolicy(e *decisionlog.Event) bool {
	switch e.Facts.Kind {
	case authz.Unauthenticated.String(), authz.Malformed.String(), authz.Unavailable.String():
		return false
	case authz.Misconfigured.String(), authz.Internal.String():
		return e.Input != nil
	}
	return true
}

// Of reports on a decision that no policy made.
func Of(e *decisionlog.Event) Report { return Report{Event: e, Missing: e.Missing()} }

// Explain decides the question of e anew, by the policy of point, and says why. The error says why that cannot be: the
// event lacks the document, or the policy the entrypoint.
func Explain(ctx context.Context, point *decision.Point, e *decisionlog.Event) (Report, error) {
	out := Of(e)
	doc, err := e.Document()
	if err != nil {
		return out, err
	}
	if e.Path == "" || !point.Callable(e.Path) {
		return out, fmt.Errorf("the policies have no entrypoint %q", e.Path)
	}
	again := &Anew{Reconsidered: point.Reconsider(ctx, decision.Recorded{
		DecisionID: e.DecisionID, Time: e.Time, Entrypoint: e.Path, Document: doc,
	})}
	again.SamePolicy = again.Decision.Policy.Digest == e.Facts.PolicyDigest
	again.SameNames = slices.Equal(slices.Sorted(maps.Keys(e.Bundles)),
		slices.Sorted(maps.Keys(point.Snapshot().Policy.Revisions())))
	again.Network = point.Snapshot().Policy.MayReachNetwork(e.Path)
	again.Same = sameDecision(&again.Decision, &e.Facts)
	result, err := again.Result.AppendJSON(nil)
	if e.Facts.Kind == "" { // of another program
		again.Same = err == nil && equal(result, e.Result)
	}
	again.SameResult = again.Same && (e.Result == nil && again.Result.Empty() || err == nil && equal(result, e.Result))
	out.Anew = again
	return out, nil
}

func sameDecision(d *authz.Decision, f *decisionlog.Facts) bool {
	return d.Kind.String() == f.Kind && d.Status == f.Status && slices.EqualFunc(d.Reasons, f.Reasons,
		func(r authz.Reason, logged decisionlog.EventReason) bool {
			return r.Code == logged.Code && r.Message == logged.Message
		})
}

// equal compares two JSON values, whose members may be in another order, and whose texts may be escaped otherwise.
func equal(a, b jsontext.Value) bool {
	a, b = a.Clone(), b.Clone()
	digits := []jsontext.Options{jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)}
	return a.Canonicalize(digits...) == nil && b.Canonicalize(digits...) == nil && bytes.Equal(a, b)
}

// Summary is the line of the decision as it was recorded.
func (r *Report) Summary() summary.Decision {
	e := r.Event
	d := summary.Decision{DecisionID: e.DecisionID, Kind: kindOf(e.Facts.Kind), Status: e.Facts.Status,
		Reasons: reasonsOf(e.Facts.Reasons), Cause: e.Error.Message}
	if doc, err := e.Document(); err == nil {
		d.Method, d.Path = decision.Asked(doc)
		d.Client, d.Subject = doc.Token.ClientID, doc.Token.Subject.ID
	}
	return d
}

// summary is the line of the decision that was made anew, without what the recorded one says too.
func (a *Anew) summary() summary.Decision {
	d := summary.Decision{Kind: a.Decision.Kind, Status: a.Decision.Status, Reasons: a.Decision.Reasons}
	if a.Decision.Cause != nil {
		d.Cause = a.Decision.Cause.Error()
	}
	return d
}

func kindOf(name string) authz.Kind {
	for _, k := range authz.Kinds {
		if k.String() == name {
			return k
		}
	}
	return authz.Internal
}
