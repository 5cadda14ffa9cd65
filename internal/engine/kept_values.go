package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// maxKeptValue is the estimated size of a value that is not kept, in bytes.
const maxKeptValue = 4 << 10

// keptValue is the value of one rule; nil inside is undefined.
type keptValue struct{ value *ast.Term }

// keptRules are the references to rules whose values can be kept, as the rule at ref and those that it depends on name
// them: rules that have one value, that follow from a part of the input, and that call nothing but deterministic
// builtins. within says which paths of the input are in that part. What a kept rule alone depends on is left out.
func keptRules(c *ast.Compiler, ref ast.Ref, within func(reads.Path) bool) (refs []ast.Ref) {
	rules := reads.Rules(c, ref)
	about := map[*ast.Rule]bool{}
	for _, r := range rules {
		beyond := func(p reads.Path) bool { return !within(p) }
		about[r] = deterministic(r) && !slices.ContainsFunc(reads.OfRule(r), beyond)
	}
	kept, some := map[string]bool{}, false
	for _, r := range rules {
		name := r.Ref().String()
		if _, known := kept[name]; !known { // once a name, of which there may be thousands of rules
			// about[r] is there to spare the walk from each of many rules: followsFrom finds the same.
			kept[name] = about[r] && !r.Ref().Equal(ref) && followsFrom(c, r, about)
			some = some || kept[name]
		}
	}
	if !some {
		return nil
	}
	named := map[string]bool{}
	for _, r := range rules {
		if kept[r.Ref().String()] {
			continue // what it depends on is not asked for where its own value is known
		}
		ast.WalkRefs(r, func(used ast.Ref) bool {
			for n := range used {
				at := used[:n+1]
				if name := at.String(); kept[name] && !named[name] {
					named[name] = true
					refs = append(refs, at.Copy())
				}
			}
			return false
		})
	}
	return refs
}

// followsFrom reports whether a rule has one value, which depends on data and on what the rules of about read, at
// least one of them.
func followsFrom(c *ast.Compiler, r *ast.Rule, about map[*ast.Rule]bool) bool {
	ref := r.Ref()
	reading := false
	for _, other := range reads.Rules(c, ref) {
		own := other.Ref().Equal(ref)
		if own && (other.Head.RuleKind() != ast.SingleValue || len(other.Head.Args) > 0) || !about[other] {
			return false
		}
		reading = reading || len(reads.OfRule(other)) > 0
	}
	return reading
}

// deterministic reports whether the builtins that a rule calls or names depend on their operands alone.
func deterministic(r *ast.Rule) bool {
	ok := true
	ast.WalkRefs(r, func(ref ast.Ref) bool {
		name := builtins.PublicNames(ref.String())
		ok = ok && (ast.BuiltinMap[name] == nil || builtins.Deterministic(name))
		return !ok
	})
	return ok
}

// keptRun are the values that are kept for one evaluation.
type keptRun struct {
	token   tokenRun
	request requestRun
}

// fill puts what is known of the token and the request into the cache of an evaluation. One that is followed, or that
// prints, evaluates all.
func (e *preparedRule) fill(v *evaluation, in ast.Value, r evalOptions) (run keptRun) {
	if r.tracer != nil || e.follower != nil || r.print != nil {
		return run
	}
	return keptRun{e.token.fill(v.values, in), e.request.fill(v, r.document)}
}

// keep takes what an evaluation without an error found out.
func (run keptRun) keep(values *virtualCache) {
	run.token.keep(values)
	run.request.keep(values)
}

// put puts the values of refs that are known into the cache of an evaluation.
func put(values *virtualCache, refs []ast.Ref, known []*keptValue) {
	for i, v := range known {
		if v != nil {
			values.Put(refs[i], v.value)
		}
	}
}

// found returns known with the values of refs that an evaluation found out, or nil where it found out none. known is
// nil where nothing was known.
func found(values *virtualCache, refs []ast.Ref, known []*keptValue) (more []*keptValue) {
	for i, ref := range refs {
		if known != nil && known[i] != nil {
			continue
		}
		value, undefined := values.Get(ref)
		if value == nil && !undefined || value != nil && term.Size(value.Value) > maxKeptValue {
			continue
		}
		if value != nil { // its texts may be parts of the answer of the server
			value = ast.NewTerm(term.Detached(value.Value))
		}
		if more == nil {
			more = make([]*keptValue, len(refs))
			copy(more, known)
		}
		more[i] = &keptValue{value}
	}
	return more
}
