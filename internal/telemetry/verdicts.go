package telemetry

import (
	"sync/atomic"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Verdicts is what became of evaluations since the policy that is served was activated.
type Verdicts struct {
	// Evaluations is how many there were, Misconfigured how many of them gave no verdict by the fault of the policy.
	Evaluations, Misconfigured uint64
}

// Ratio is the share of evaluations without a verdict; 0 when there were none.
func (v Verdicts) Ratio() float64 {
	return float64(v.Misconfigured) / float64(max(v.Evaluations, 1))
}

// verdicts counts evaluations. What an old policy still had under way counts for the new one: a few, for a moment.
type verdicts struct {
	evaluations, misconfigured atomic.Uint64
	before                     atomic.Pointer[Verdicts] // the counts at the activation; nil for none
}

func (v *verdicts) add(err error) {
	v.evaluations.Add(1)
	if err != nil && authz.KindOf(err) == authz.Misconfigured {
		v.misconfigured.Add(1)
	}
}

func (v *verdicts) begin() {
	v.before.Store(&Verdicts{v.evaluations.Load(), v.misconfigured.Load()})
}

// Verdicts is what became of evaluations since PolicyActive was called last.
func (m *Metrics) Verdicts() Verdicts {
	now := Verdicts{Misconfigured: m.verdicts.misconfigured.Load(), Evaluations: m.verdicts.evaluations.Load()}
	if b := m.verdicts.before.Load(); b != nil {
		now.Evaluations -= min(b.Evaluations, now.Evaluations)
		now.Misconfigured -= min(b.Misconfigured, now.Misconfigured)
	}
	return now
}
