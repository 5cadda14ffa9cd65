package app

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/decision"
)

// codeNoVerdict is the code of the problem that the policy that serves gives no verdicts.
const codeNoVerdict = "misconfigured_decisions"

const (
	// warnRatio is the share of evaluations without a verdict, since a policy was activated, that is worth a warning.
	warnRatio = 0.1
	// warnCount is the least number of evaluations without a verdict that is worth a warning.
	warnCount = 10
	// verdictInterval is how often both are checked.
	verdictInterval = time.Second
)

// tooMany reports whether the policy that serves gives too few verdicts.
func tooMany(v decision.Verdicts) bool { return v.Misconfigured >= warnCount && v.Ratio() >= warnRatio }

// warnWithoutVerdicts warns, once for each policy, when the policy that serves gives too few verdicts: it loaded
// without a fault, and fails at requests.
func (a *App) warnWithoutVerdicts() {
	v := a.point.Snapshot().Verdicts()
	if !tooMany(v) {
		return
	}
	a.policy.mu.Lock()
	warned, activated := a.policy.warned, a.policy.activated
	a.policy.warned = true
	a.policy.mu.Unlock()
	if !warned {
		a.deps.Log.Warn("the policies that serve give no verdict for many requests; the lines \"decision "+
			"refused\" say why",
			"misconfigured", v.Misconfigured, "evaluations", v.Evaluations, "activated", activated,
			"policy_revision", a.point.Snapshot().Policy.Revision())
	}
}
