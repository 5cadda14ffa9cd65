package app

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// phase is where an App is in its life.
type phase int32

const (
	starting phase = iota
	serving
	stopping
)

// readiness holds the phase.
type readiness struct{ phase atomic.Int32 }

func (r *readiness) set(p phase) { r.phase.Store(int32(p)) }

// because is why the phase is not that of serving.
func (r *readiness) because() string {
	switch phase(r.phase.Load()) {
	case serving:
		return ""
	case stopping:
		return status.BecauseStopping
	}
	return status.BecauseStarting
}

// Status is what GET /v1/status answers.
func (a *App) Status() status.Report {
	because := a.ready.because()
	var issuers []status.Issuer
	for _, i := range a.issuers.All() {
		issuers = append(issuers, i.Status())
	}
	canary := func(i status.Issuer) bool { return i.Canary != "" }
	if because == "" && slices.ContainsFunc(issuers, canary) {
		because = status.BecauseCanary
	}
	if stale := a.stale.Load(); because == "" && stale != nil && stale.Unready+stale.Deny != "" {
		because = status.BecauseStale
	}
	return status.Report{
		Version:     a.deps.Version,
		Started:     a.started,
		Ready:       because == "",
		Because:     because,
		Policy:      a.policyStatus(),
		Sources:     a.sources.Status(),
		Listeners:   a.listenerStatus(),
		Issuers:     issuers,
		Events:      a.eventStatus(),
		DecisionLog: a.logStatus(),

		UpstreamToken: a.identities.Status(),
	}
}

// policyStatus is what serves, what is wrong with what is on disk, and whether what serves gives verdicts.
func (a *App) policyStatus() status.Policy {
	policy := a.point.Snapshot().Policy
	a.policy.mu.Lock()
	defer a.policy.mu.Unlock()
	s := status.Policy{
		Revision: policy.Revision(), Digest: policy.Digest(), Bundles: policy.Revisions(),
		Entrypoints: policy.Entrypoints(),
		Activated:   a.policy.activated, FailedAt: a.policy.failedAt, Errors: problemsOf(a.policy.failure),
		Gates: a.policy.gates, Memo: a.memoStatus(policy),
	}
	if why := a.policy.waiting; why != nil {
		s.WaitingSince = a.policy.waitingSince
		s.Errors = append(s.Errors, problemsOf(bundle.Problems{*why})...)
	}
	s.RunawayCalls, s.RunawayCallsTotal = a.cfg.Engine.Runaways.Running(), a.cfg.Engine.Runaways.Total()
	v := a.point.Snapshot().Verdicts()
	s.Evaluations, s.Misconfigured = v.Evaluations, v.Misconfigured
	if tooMany(v) {
		message := fmt.Sprintf("%d of %d evaluations since this policy was activated gave no verdict: the decisions "+
			"are misconfigured",
			v.Misconfigured, v.Evaluations)
		s.Errors = append(s.Errors, status.Problem{Code: codeNoVerdict, Message: message,
			Text: codeNoVerdict + ": " + message})
	}
	s.Healthy = len(s.Errors) == 0
	return s
}

func problemsOf(err error) []status.Problem {
	if err == nil {
		return nil
	}
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		return []status.Problem{{Code: "internal_error", Message: err.Error(), Text: err.Error()}}
	}
	var out []status.Problem
	for _, p := range problems {
		out = append(out, status.Problem{File: p.File, Row: p.Row, Col: p.Col, Code: p.Code, Message: p.Message,
			Text: p.String()})
	}
	return out
}

func (a *App) logStatus() status.DecisionLog {
	s := a.log.Status()
	out := status.DecisionLog{
		Enabled: a.log.Enabled(), Queued: s.Queued, QueuedBytes: s.QueuedBytes, Written: s.Written, Dropped: s.Dropped,
		LastError: s.LastError, LastErrorAt: s.LastErrorAt,
	}
	for _, sink := range s.Sinks {
		out.Sinks = append(out.Sinks, status.Sink{Kind: sink.Kind, Healthy: sink.Error == "", Error: sink.Error,
			Since: sink.Since})
	}
	return out
}
