package app

import (
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/memo"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// countMemo makes the policies of cfg count the use of what they remember. Neither the token nor its claims are in the
// log.
func (a *App) countMemo(cfg *config.Config, r metrics.Registerer) {
	c := memo.NewCounts(r)
	c.Mismatch = func(entrypoint, decisionID string) {
		a.deps.Log.Error("a remembered verdict is not what an evaluation gives: set engine.memo.max_entries to 0, and "+
			"report it", "path", entrypoint, "decision_id", decisionID)
	}
	cfg.Engine.MemoCounts = c
}

// measureMemo shows how much the deciding policy remembers.
func (a *App) measureMemo(r metrics.Registerer) {
	use := func() memo.Use { return a.point.Snapshot().Policy.MemoUse() }
	metrics.NewGaugeFunc(r, "sidecar_engine_memo_entries", "Verdicts that the deciding policy remembers.",
		func() float64 { return float64(use().Entries) })
	metrics.NewGaugeFunc(r, "sidecar_engine_memo_bytes", "Memory of the remembered verdicts and their keys, in bytes.",
		func() float64 { return float64(use().Bytes) })
}

// memoStatus is how much a policy remembers, or nil when it remembers nothing.
func (a *App) memoStatus(p *engine.Policy) *status.Memo {
	cfg := a.cfg.Engine.Memo
	if !cfg.On() {
		return nil
	}
	use := p.MemoUse()
	return &status.Memo{Entries: status.Use{Used: use.Entries, Limit: cfg.MaxEntries},
		Bytes: status.Use{Used: use.Bytes, Limit: cfg.MaxBytes}}
}
