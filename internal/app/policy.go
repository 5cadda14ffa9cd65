package app

import (
	"strings"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/gate/stage"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// policyState is which policy serves and how the newest load went.
type policyState struct {
	reloads, refusals                    *metrics.Counters
	succeeded, failing, changing, active metrics.Gauge
	info                                 *metrics.Info

	mu        sync.Mutex
	serving   *bundle.Set
	activated time.Time
	failedAt  time.Time
	failure   error
	// waiting is why a change on disk is not loaded yet, after a while; nil when none is waited for.
	waiting      *bundle.Problem
	waitingSince time.Time
	warned       bool // of evaluations without a verdict, since the activation
	gates        *status.Gates
}

// The outcomes of a load.
const (
	reloadOK     = "ok"
	reloadFailed = "failed"
)

func newPolicyState(r metrics.Registerer) *policyState {
	return &policyState{
		reloads: metrics.NewCounters(r, "sidecar_app_reloads_total",
			"Policy loads by outcome, the first one included.",
			"outcome", reloadOK, reloadFailed),
		refusals: metrics.NewCounters(r, "sidecar_app_gate_refusals_total",
			"Policies that compiled and that a gate refused, by gate.", "gate", gate.Names[:]...),
		succeeded: metrics.NewGauge(r, "sidecar_app_reload_success_timestamp_seconds",
			"Time of the last successful policy load, in seconds since the epoch."),
		failing: metrics.NewGauge(r, "sidecar_app_reload_failing",
			"1 while new policies are refused and the last good ones decide."),
		changing: metrics.NewGauge(r, "sidecar_app_reload_waiting",
			"1 while the policies on disk keep changing and are not loaded yet."),
		active: metrics.NewGauge(r, "sidecar_app_policy_active_timestamp_seconds",
			"Time when the deciding policy was activated, in seconds since the epoch."),
		info: metrics.NewInfo(r, "sidecar_app_policy_info", "Revision and digest of the deciding policy; always 1.",
			"revision",
			"digest"),
	}
}

func (s *policyState) set() *bundle.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serving
}

// loadFailed reports that new policies do not load, or that a gate refuses them: in metrics and log first, in the
// status last, so that the log has what the status shows. The last good policy goes on deciding.
func (a *App) loadFailed(err error) {
	a.policy.reloads.Inc(reloadFailed)
	a.policy.failing.Set(1)
	serving := a.point.Snapshot().Policy.Revision()
	if set := a.policy.set(); set != nil {
		set.Settle() // the refused policies share its data
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		a.deps.Log.Error("new policies are refused; the last good ones go on deciding", "problem", line,
			"serving_revision", serving)
	}
	a.policy.mu.Lock()
	a.policy.failure, a.policy.failedAt = err, time.Now()
	a.policy.mu.Unlock()
}

// activate lets next decide from now on.
func (a *App) activate(next stage.Policies) {
	// One pointer is swapped: a decision under way ends with the policy it began with.
	old := a.point.Snapshot()
	a.point.Swap(&decision.Snapshot{Introspector: old.Introspector, Policy: next.Policy})
	a.activated(next)
	args := []any{"policy_revision", next.Policy.Revision(), "policy_digest", next.Policy.Digest()}
	if by := signedBy(next.Set); len(by) > 0 {
		args = append(args, "signed_by", by)
	}
	a.deps.Log.Info("policies activated", args...)
}

// signedBy is who signed each bundle that was verified, with its digest and its review: "orders sha256:...: ann
// (author)".
func signedBy(set *bundle.Set) []string {
	var out []string
	for _, b := range set.Bundles {
		if len(b.Signed.Signers) == 0 {
			continue
		}
		var who []string
		for _, s := range b.Signed.Signers {
			who = append(who, s.String())
		}
		line := b.Name + " " + b.Digest + ": " + strings.Join(who, ", ")
		if b.Signed.Reviewed != "" {
			line += "; review " + b.Signed.Reviewed
		}
		out = append(out, line)
	}
	return out
}

// waiting reports that a change on disk has been going on for long, or, with nil, that it has ended.
func (a *App) waiting(why *bundle.Problem) {
	if why == nil {
		a.policy.changing.Set(0)
	} else {
		a.policy.changing.Set(1)
	}
	a.policy.mu.Lock()
	first := a.policy.waiting == nil
	a.policy.waiting = why
	if why != nil && first {
		a.policy.waitingSince = time.Now()
	}
	a.policy.mu.Unlock()
	switch {
	case why == nil:
		a.deps.Log.Info("policies on disk no longer change")
	case first:
		a.deps.Log.Warn("policies on disk keep changing; the last good ones go on deciding until they no longer "+
			"change",
			"problem", why.String())
	}
}

// activated records that next decides from now on: in the status last, as loadFailed does.
func (a *App) activated(next stage.Policies) {
	a.logIgnored(a.policy.set(), next.Set)
	a.sources.Activated(next.Set)
	next.Policy.Settle()
	next.Set.Settle()
	now := time.Now()
	a.policy.reloads.Inc(reloadOK)
	a.policy.succeeded.Set(metrics.Seconds(now))
	a.policy.failing.Set(0)
	a.policy.info.Set(next.Policy.Revision(), next.Policy.Digest())
	a.policy.active.Set(metrics.Seconds(now))
	a.policy.mu.Lock()
	a.policy.serving, a.policy.activated, a.policy.failure, a.policy.failedAt, a.policy.warned = next.Set, now, nil,
		time.Time{}, false
	a.policy.mu.Unlock()
}

// logIgnored logs which files are left out when they differ from those before.
func (a *App) logIgnored(before, set *bundle.Set) {
	if len(set.Ignored) == 0 || before != nil && before.Ignored.Error() == set.Ignored.Error() {
		return
	}
	const most = 10
	files := strings.Split(set.Ignored.Error(), "\n")
	a.deps.Log.Warn("files beside the policies are ignored", "count", len(set.Ignored), "files",
		files[:min(len(files), most)])
}
