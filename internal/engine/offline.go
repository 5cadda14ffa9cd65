package engine

import (
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
)

// OutsideError is the cause of an evaluation of an Offline policy that would have read the network, or the clock of
// the machine.
type OutsideError = builtins.OutsideError

// Offline is p for recorded questions: it answers as p does, but for an evaluation that calls a builtin which reads
// the network, or the clock of the machine. Such a builtin is not called, and the error is an OutsideError.
func (p *Policy) Offline() *Policy {
	own := p.with(func(w *runtime) { w.builtins, w.network = builtins.Offline(w.builtins), networkDenied })
	own.remember(offlineMemory(), nil, reads.New(own.compiler))
	return own
}

// with is p with another runtime: change changes a copy of it.
func (p *Policy) with(change func(w *runtime)) *Policy {
	own := *p
	own.memory = nil
	own.entries = map[string]*preparedRule{}
	runtimes := map[*runtime]*runtime{}
	for path, e := range p.entries {
		entry := *e
		if runtimes[e.runtime] == nil {
			shared := *e.runtime
			change(&shared)
			runtimes[e.runtime] = &shared
		}
		entry.runtime = runtimes[e.runtime]
		own.entries[path] = &entry
	}
	return &own
}
