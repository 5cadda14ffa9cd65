package engine

import (
	"slices"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// maxKeptValue is the largest estimated size of a value that is kept, in bytes, with the arguments that it was found
// for. maxKeptOfData is that of a value that follows from data alone, of which there is one.
const (
	maxKeptValue  = 4 << 10
	maxKeptOfData = 1 << 20
)

// maxKeptRefs is how many rules may be kept that each request puts into its cache, whatever it asks for. Where there
// are more, none is.
const maxKeptRefs = 16

// keptValue is the value of one rule; nil inside is undefined.
type keptValue struct {
	value *ast.Term
	// made is set once the value was the result of an entrypoint: noVerdict where it is none.
	made atomic.Pointer[made]
}

// tooLarge stands for a value that is not kept, so that its size is not estimated again.
var tooLarge = &keptValue{}

// keepable are the references to rules and functions whose values can be kept, as the rules that use them name them.
type keepable struct {
	refs []ast.Ref
	// operators are those of calls, one for each call: OPA's cache has the very term that the rule has.
	operators []*ast.Term
}

// keptRules are the rules that the rule at ref depends on and whose values can be kept: rules that have one value, or
// one for their arguments, that follow from a part of the input, and that call nothing but deterministic builtins.
// within says which paths of the input are in that part; nil is for rules that read nothing of the input. What a kept
// rule alone depends on is left out.
func keptRules(p *reads.Program, ref ast.Ref, within func(reads.Path) bool) (k keepable) {
	rules := p.Rules(ref)
	about := map[*reads.Rule]bool{}
	beyond := func(p reads.Path) bool { return within == nil || !within(p) }
	for _, r := range rules {
		if !slices.ContainsFunc(r.Paths, beyond) && deterministic(r) {
			about[r] = true
		}
	}
	kept, functions, some := map[string]bool{}, map[string]bool{}, false
	for _, r := range rules {
		of := kept
		if len(r.Head.Args) > 0 {
			of = functions
		}
		if _, known := of[r.Name]; !known { // once a name, of which there may be thousands of rules
			// about[r] is there to spare the walk from each of many rules: followsFrom finds the same.
			of[r.Name] = about[r] && !r.Path.Equal(ref) && followsFrom(p, r, about, within == nil)
			some = some || of[r.Name]
		}
	}
	if !some {
		return k
	}
	for _, r := range rules {
		if kept[r.Name] {
			continue // what it depends on is not asked for where its own value is known
		}
		k.addNamed(r, kept)
		if !functions[r.Name] {
			k.addCalled(r, functions)
		}
	}
	return k
}

// addNamed adds those of rules that r names.
func (k *keepable) addNamed(r *reads.Rule, rules map[string]bool) {
	for _, used := range r.Refs {
		if !used.HasPrefix(ast.DefaultRootRef) {
			continue
		}
		for n := range used {
			at := used[:n+1]
			known := func(ref ast.Ref) bool { return ref.Equal(at) }
			if at.IsGround() && rules[at.String()] && !slices.ContainsFunc(k.refs, known) {
				k.refs = append(k.refs, at.Copy())
			}
		}
	}
}

// addCalled adds those of functions that r calls.
func (k *keepable) addCalled(r *reads.Rule, functions map[string]bool) {
	ast.WalkExprs(r.Rule, func(x *ast.Expr) bool {
		if !x.IsCall() || !x.Operator().HasPrefix(ast.DefaultRootRef) || !functions[x.Operator().String()] {
			return false
		}
		if t := x.OperatorTerm(); !slices.Contains(k.operators, t) { // which an else and its rule both have
			k.operators = append(k.operators, t)
		}
		return false
	})
}

// followsFrom reports whether a rule has one value, or one for its arguments, which depends on data and on what the
// rules of about read: at least one of them reads something, unless it is about data alone.
func followsFrom(p *reads.Program, r *reads.Rule, about map[*reads.Rule]bool, dataAlone bool) bool {
	follows, reading := true, dataAlone
	p.Each(r.Path, func(other *reads.Rule) bool {
		follows = about[other] && (other.Head.RuleKind() == ast.SingleValue || !other.Path.Equal(r.Path))
		reading = reading || len(other.Paths) > 0
		return follows
	})
	return follows && reading
}

// deterministic reports whether the builtins that a rule calls or names depend on their operands alone.
func deterministic(r *reads.Rule) bool {
	return !slices.ContainsFunc(r.Refs, func(ref ast.Ref) bool {
		if ref.HasPrefix(ast.DefaultRootRef) || ref.HasPrefix(ast.InputRootRef) { // names no builtin
			return false
		}
		name := builtins.PublicNames(ref.String())
		return ast.BuiltinMap[name] != nil && !builtins.Deterministic(name)
	})
}

// keptRun are the values that are kept for one evaluation.
type keptRun struct {
	data    dataRun
	token   tokenRun
	request requestRun
	// listed is how many values the cache listed before the evaluation.
	listed int
}

// fill puts what is known of the token and the request into the cache of an evaluation. One that is followed, or that
// prints, evaluates all.
func (e *preparedRule) fill(v *evaluation, in ast.Value, r evalOptions) (run keptRun) {
	if r.tracer != nil || e.follower != nil || r.print != nil {
		return run
	}
	run = keptRun{
		data: e.data.fill(v.values), token: e.token.fill(v.values, in), request: e.request.fill(v, r.document),
	}
	run.listed = v.values.listed()
	return run
}

// keep takes what an evaluation without an error found out.
func (run keptRun) keep(values *virtualCache) {
	run.data.keep(values)
	run.token.keep(values, run.listed)
	run.request.keep(values)
}

// holding returns what keeps the value t, or nil when nothing did before the evaluation.
func (run keptRun) holding(t *ast.Term) *keptValue {
	for _, known := range [][]*keptValue{run.token.values(), run.data.known, run.request.known} {
		for _, v := range known {
			if v != nil && v.value == t {
				return v
			}
		}
	}
	return nil
}

// put puts the values of refs that are known into the cache of an evaluation.
func put(values *virtualCache, refs []ast.Ref, known []*keptValue) {
	for i, v := range known {
		if v != nil && v != tooLarge {
			values.know(refs[i], v.value)
		}
	}
}

// foundValues returns known with the values of refs that an evaluation found out, up to the size most, and whether it
// found out any. known is nil where nothing was known.
func foundValues(
	values *virtualCache, refs []ast.Ref, known []*keptValue, most int,
) (all []*keptValue, more bool) {
	for i, ref := range refs {
		if known != nil && known[i] != nil {
			continue
		}
		value, undefined := values.Get(ref)
		if value == nil && !undefined {
			continue
		}
		if !more {
			known, more = append(make([]*keptValue, 0, len(refs)), known...)[:len(refs)], true
		}
		switch {
		case undefined:
			known[i] = &keptValue{}
		case term.Size(value.Value) > most:
			known[i] = tooLarge
		default: // its texts may be parts of the answer of the server
			known[i] = &keptValue{value: ast.NewTerm(term.Detached(value.Value))}
		}
	}
	return known, more
}
