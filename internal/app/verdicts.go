package app

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/decision"
)

// codeNoVerdict is the code of the problem that the policy that serves gives no verdicts.
const codeNoVerdict = "misconfigured_decisions"

const (
	// worrying is the share of evaluations without a verdict, since a policy was activated, that is worth a warning.
	worrying = 0.1
	// enough evaluations without a verdict are more than a curiosity.
	enough = 10
	// verdictsEvery is how often that is looked at.
	verdictsEvery = time.Second
)

// tooMany reports whether the policy that serves gives too few verdicts.
func tooMany(v decision.Verdicts) bool { return v.Misconfigured >= enough && v.Ratio() >= worrying }

// warnOfVerdicts warns, once a policy, of one that was activated and gives no verdicts: nothing was wrong with it when it
// was loaded.
func (a *App) warnOfVerdicts() {
	v := a.point.Snapshot().Verdicts()
	if !tooMany(v) {
		return
	}
	a.policy.mu.Lock()
	warned, activated := a.policy.warned, a.policy.activated
	a.policy.warned = true
	a.policy.mu.Unlock()
	if !warned {
		a.deps.Logger.Warn("the policies that serve give no verdict for many requests; the lines \"decision refused\" say why",
			"misconfigured", v.Misconfigured, "evaluations", v.Evaluations, "activated", activated, "policy_revision", a.point.Snapshot().Policy.Revision())
	}
}
