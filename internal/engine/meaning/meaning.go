// Package meaning says what compiled policies mean without evaluating them: their rules as text and in a form that
// overlooks format, and for each entrypoint what its answers may depend on: rules, members of the input and of data,
// builtins, and the hosts that http.send may reach. It says too much rather than too little.
package meaning

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Place is a rule, and where it is.
type Place struct {
	// Rule is data.authz.allowed; empty for a place outside of rules.
	Rule string `json:"rule,omitzero"`
	File string `json:"file,omitzero"`
	Row  int    `json:"row,omitzero"`
}

// Program is what one set means. It is immutable.
type Program struct {
	// Definitions are those of all rules, by file and row, and the metadata of packages.
	Definitions []Definition
	// Entrypoints are by their paths: authz/decision.
	Entrypoints map[string]*Entrypoint
}

// Entrypoint is what the answers of one entrypoint may depend on.
type Entrypoint struct {
	Path string
	// Rules are by their paths: data.authz.allowed.
	Rules map[string]Bearing
	// Input and Data are the members that are read, by their paths. Builtins and Hosts are by their names.
	Input, Data, Builtins, Hosts map[string]Use
	// Metadata is that of the entrypoint as JSON; empty where it has none.
	Metadata string
}

// Bearing says what it means for a request that a rule holds.
type Bearing string

// How rules bear on whether a request is allowed. Those that are aside only bear on other parts of the answer, such as
// reasons.
const (
	Allows Bearing = "allows"
	Denies Bearing = "denies"
	Both   Bearing = "both"
	Aside  Bearing = "aside"
)

// Use is where something is read or called.
type Use struct {
	Places []Place
	// Names are the parts of a path below input or data; "" stands for a part that is computed.
	Names []string
}

// Any is the name of the host of a URL that is computed.
const Any = "*"

// Of reads a set that compiles; engine.Compile says what is wrong with one that does not. entrypoints are their paths.
// A panic is an error, so that no file can end the process.
func Of(set *bundle.Set, opts rego.Options, entrypoints []string) (p *Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("read the meaning of the policies: the analysis failed (%T)", r)
		}
	}()
	modules, _, whole := rego.ParseReadable(set, opts, rego.WithoutTests)
	if !whole {
		return nil, errors.New("read the meaning of the policies: they do not parse")
	}
	p = &Program{Entrypoints: map[string]*Entrypoint{}, Definitions: definitions(set, modules)}
	compiler := rego.NewCompiler(opts, modules)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("read the meaning of the policies: %w", compiler.Errors)
	}
	for _, path := range entrypoints {
		p.Entrypoints[path] = entrypointOf(compiler, set.Document(), path)
	}
	return p, nil
}

func entrypointOf(compiler *ast.Compiler, data map[string]any, path string) *Entrypoint {
	a := newAnalysis(compiler, data, path)
	for _, s := range a.scopes {
		a.read(s)
	}
	e := &Entrypoint{
		Path: path, Rules: map[string]Bearing{}, Input: a.input.uses(), Data: a.data.uses(),
		Builtins: a.builtins.uses(), Hosts: a.hosts.uses(), Metadata: metadataAt(compiler, path),
	}
	polarity := polarityOf(compiler, path)
	for _, s := range a.scopes {
		name := pathOf(s.rule)
		e.Rules[name] = polarity[name].bearing()
	}
	return e
}

// pathOf is data.authz.allowed, without the variables at the end of the name of a rule.
func pathOf(r *ast.Rule) string { return r.Ref().GroundPrefix().String() }

// metadataAt is the metadata of the rule at a path, as JSON.
func metadataAt(compiler *ast.Compiler, path string) string {
	var found []*ast.Annotations
	for _, ref := range compiler.GetAnnotationSet().Flatten() {
		if ref.Path.Equal(rego.RefOf(path)) && (ref.Annotations.Scope == "rule" ||
			ref.Annotations.Scope == "document") {
			found = append(found, ref.Annotations)
		}
	}
	return metadataOf(found)
}

// Bearing is how a rule bears on what all entrypoints allow.
func (p *Program) Bearing(rule string) Bearing {
	out := Aside
	for _, e := range p.Entrypoints {
		switch b := e.Rules[rule]; {
		case b == "" || b == Aside || b == out:
		case out == Aside:
			out = b
		default:
			out = Both
		}
	}
	return out
}

// Reaching are the entrypoints that depend on a rule, sorted.
func (p *Program) Reaching(rule string) []string {
	var out []string
	for path, e := range p.Entrypoints {
		if _, is := e.Rules[rule]; is {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// Readers are the rules that may read a path of the data, given in parts, or a part of it, sorted.
func (p *Program) Readers(names []string) []string {
	found := map[string]bool{}
	for _, e := range p.Entrypoints {
		for _, use := range e.Data {
			if mayOverlap(use.Names, names) {
				for _, place := range use.Places {
					found[cmp.Or(place.Rule, place.File)] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// mayOverlap reports whether one of two paths may be at or above the other.
func mayOverlap(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != "" && b[i] != "" && a[i] != b[i] {
			return false
		}
	}
	return true
}

// uses are found by the name of what is used.
type uses map[string]Use

func (u uses) add(name string, names []string, at Place) {
	use, known := u[name]
	if !known {
		use.Names = names
	}
	if !slices.Contains(use.Places, at) {
		use.Places = append(use.Places, at)
	}
	u[name] = use
}

// uses returns u with the places of each use in their order.
func (u uses) uses() map[string]Use {
	for _, use := range u {
		slices.SortFunc(use.Places, func(a, b Place) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Rule, b.Rule))
		})
	}
	return u
}
