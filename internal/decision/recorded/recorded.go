// Package recorded explains decisions of a decision log: from the event alone, or by deciding anew.
package recorded

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/summary"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
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
		Cause: e.Error.Message}
	for _, reason := range e.Facts.Reasons {
		d.Reasons = append(d.Reasons, authz.Reason{Code: reason.Code, Message: reason.Message})
	}
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
