package partial

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// ReadsClock reports whether the entrypoint depends on a rule outside of the library that reads the clock: what is
// known of one time may be otherwise at another one. The library reads it for the age of a login alone.
func (p *Program) ReadsClock() bool {
	for r := range p.reachable(nil) {
		if p.clocked[r.Ref().String()] {
			return true
		}
	}
	return false
}

// noteClock notes the rules of a module that read the clock, before the time is put in its place.
func (p *Program) noteClock(m *ast.Module) {
	if m.Package.Path.HasPrefix(rego.RefOf("sidecar")) {
		return
	}
	for _, r := range m.Rules {
		ast.WalkTerms(r, func(t *ast.Term) bool {
			if call, ok := t.Value.(ast.Call); ok && call[0].String() == ast.NowNanos.Name {
				p.clocked[r.Ref().String()] = true
			}
			return false
		})
	}
}
