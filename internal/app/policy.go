package app

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/httpapi"
)

// policyState is which policy serves and how the newest load went.
type policyState struct {
	mu        sync.Mutex
	serving   *bundle.Set
	activated time.Time
	failedAt  time.Time
	failure   error
}

func (s *policyState) set() *bundle.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serving
}

// reload is called with whatever is on disk now. A set that does not compile changes nothing but what is said.
func (a *App) reload(set *bundle.Set, err error) {
	var policy *engine.Policy
	if err == nil {
		policy, err = compile(context.Background(), set, a.cfg)
	}
	if err != nil {
		a.policy.mu.Lock()
		a.policy.failure, a.policy.failedAt = err, time.Now()
		a.policy.mu.Unlock()
		a.metrics.ReloadFailed()
		serving := a.point.Snapshot().Policy.Revision()
		for _, line := range strings.Split(err.Error(), "\n") {
			a.deps.Logger.Error("policies on disk do not load; the last good ones go on deciding", "problem", line, "serving_revision", serving)
		}
		return
	}
	// One pointer is swapped: a decision under way ends with the policy it began with.
	old := *a.point.Snapshot()
	a.point.Swap(&decision.Snapshot{Introspector: old.Introspector, Policy: policy})
	a.activated(set, policy)
	a.deps.Logger.Info("policies activated", "policy_revision", policy.Revision(), "policy_digest", policy.Digest())
}

// activated records that policy decides from now on.
func (a *App) activated(set *bundle.Set, policy *engine.Policy) {
	a.tellIgnored(a.policy.set(), set)
	now := time.Now()
	a.policy.mu.Lock()
	a.policy.serving, a.policy.activated, a.policy.failure, a.policy.failedAt = set, now, nil, time.Time{}
	a.policy.mu.Unlock()
	a.metrics.Reloaded(now)
	a.metrics.PolicyActive(policy.Revision(), policy.Digest(), now)
}

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
func (r *readiness) is(p phase) bool {
	return phase(r.phase.Load()) == p
}

// Status is what GET /v1/status answers.
func (a *App) Status() httpapi.Status {
	policy := a.point.Snapshot().Policy
	ready := a.ready.is(serving)
	var issuers []httpapi.IssuerStatus
	for _, i := range a.issuers.All() {
		cached, sick := i.Stats(), i.Sick()
		ready = ready && sick == ""
		issuers = append(issuers, httpapi.IssuerStatus{
			Name: i.Name(), Issuer: i.Issuer(), CachedActive: cached.Active.Entries, CachedBytes: cached.Active.Bytes, CachedInactive: cached.Inactive.Entries, Canary: sick,
		})
	}
	a.policy.mu.Lock()
	activated, failedAt, failure := a.policy.activated, a.policy.failedAt, a.policy.failure
	a.policy.mu.Unlock()
	return httpapi.Status{
		Version: a.deps.Version,
		Started: a.started,
		Ready:   ready,
		Policy: httpapi.PolicyStatus{
			Healthy: failure == nil, Revision: policy.Revision(), Digest: policy.Digest(), Bundles: policy.Revisions(),
			Entrypoints: policy.Entrypoints(), Activated: activated, FailedAt: failedAt, Errors: problemsOf(failure),
		},
		Issuers:     issuers,
		Events:      a.eventStatus(),
		DecisionLog: httpapi.DecisionLogStatus{Enabled: a.log != nil, Queued: a.log.Queued()},
	}
}

func problemsOf(err error) []httpapi.PolicyProblem {
	if err == nil {
		return nil
	}
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		return []httpapi.PolicyProblem{{Code: "internal_error", Message: err.Error(), Text: err.Error()}}
	}
	var out []httpapi.PolicyProblem
	for _, p := range problems {
		out = append(out, httpapi.PolicyProblem{File: p.File, Row: p.Row, Col: p.Col, Code: p.Code, Message: p.Message, Text: p.String()})
	}
	return out
}
