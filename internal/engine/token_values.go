package engine

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
	"weak"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// tokenValues keeps the values of rules that follow from input.token and data alone, such as the identity that a
// policy tells the upstream, for the next request with the same token. A token is the same when its term is: what
// differs from request to request, as its age, makes another term as soon as a policy can see it.
//
// It is safe for concurrent use; nil keeps nothing.
type tokenValues struct {
	refs  []ast.Ref
	seed  maphash.Seed
	slots [tokenSlots]atomic.Pointer[valuesOfToken]
}

const (
	// tokenSlots is how many tokens there are values of. Another token takes the slot of one before.
	tokenSlots = 512
	// maxTokenValue is the estimated size of a value that is not kept, in bytes.
	maxTokenValue = 4 << 10
)

// valuesOfToken are the values of refs, each nil while it is not known. It is immutable, and keeps no token in memory:
// how many tokens are kept there is for package document to say.
type valuesOfToken struct {
	token  weak.Pointer[ast.Term]
	values []*tokenValue
}

// tokenValue is the value of one rule; nil inside is undefined.
type tokenValue struct{ value *ast.Term }

// newTokenValues returns nil when the rule at ref depends on no rule whose value can be kept.
func newTokenValues(c *ast.Compiler, ref ast.Ref) *tokenValues {
	rules := reads.Rules(c, ref)
	about := map[*ast.Rule]bool{}
	for _, r := range rules {
		about[r] = aboutToken(r)
	}
	kept := map[string]bool{}
	for _, r := range rules {
		name := r.Ref().String()
		if _, known := kept[name]; !known { // once a name, of which there may be thousands of rules
			kept[name] = about[r] && !r.Ref().Equal(ref) && followsFromToken(c, r, about)
		}
	}
	t := &tokenValues{seed: maphash.MakeSeed()}
	for _, r := range rules {
		if kept[r.Ref().String()] {
			continue // what it depends on is not asked for where its own value is known
		}
		ast.WalkRefs(r, func(used ast.Ref) bool {
			for n := range used {
				if at := used[:n+1]; n > 0 && kept[at.String()] && !t.has(at) {
					t.refs = append(t.refs, at.Copy())
				}
			}
			return false
		})
	}
	if len(t.refs) == 0 {
		return nil
	}
	return t
}

func (t *tokenValues) has(ref ast.Ref) bool {
	for _, r := range t.refs {
		if r.Equal(ref) {
			return true
		}
	}
	return false
}

// followsFromToken reports whether a rule has one value, which depends on input.token and data alone. about has the
// rules that it may depend on.
func followsFromToken(c *ast.Compiler, r *ast.Rule, about map[*ast.Rule]bool) bool {
	ref := r.Ref()
	reading := false
	for _, other := range reads.Rules(c, ref) {
		at := other.Ref()
		related := at.HasPrefix(ref) || ref.HasPrefix(at)
		if related && (!at.Equal(ref) || other.Head.RuleKind() != ast.SingleValue || len(other.Head.Args) > 0) ||
			!about[other] {
			return false
		}
		reading = reading || len(reads.OfRule(other)) > 0
	}
	return reading
}

// aboutToken reports whether a rule itself reads nothing of the input but input.token, and calls nothing but
// deterministic builtins.
func aboutToken(r *ast.Rule) bool {
	return deterministic(r) && !slices.ContainsFunc(reads.OfRule(r), func(p reads.Path) bool {
		return len(p) == 0 || p[0].Name != "token"
	})
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

// tokenRun is one evaluation with a token.
type tokenRun struct {
	of    *tokenValues
	token *ast.Term
	known *valuesOfToken
}

// fill puts what is known of the token of an input into the cache of an evaluation. One that is followed, or that
// prints, evaluates all.
func (e *preparedRule) fill(values *virtualCache, in ast.Value, r evalOptions) (run tokenRun) {
	if e.token == nil || r.recorder != nil || r.tracer != nil || e.follower != nil || r.print != nil {
		return run
	}
	if o, ok := in.(ast.Object); ok {
		run.token = o.Get(tokenName)
	}
	if run.token == nil {
		return run
	}
	run.of = e.token
	known := e.token.slot(run.token).Load()
	if known == nil || known.token.Value() != run.token {
		return run
	}
	run.known = known
	for i, v := range known.values {
		if v != nil {
			values.Put(e.token.refs[i], v.value)
		}
	}
	return run
}

var tokenName = ast.InternedTerm("token")

// keep takes what an evaluation without an error found out about its token.
func (run tokenRun) keep(values *virtualCache) {
	if run.of == nil {
		return
	}
	var found *valuesOfToken
	for i, ref := range run.of.refs {
		if run.known != nil && run.known.values[i] != nil {
			continue
		}
		value, undefined := values.Get(ref)
		if value == nil && !undefined || value != nil && term.Size(value.Value) > maxTokenValue {
			continue
		}
		if found == nil {
			found = &valuesOfToken{token: weak.Make(run.token), values: make([]*tokenValue, len(run.of.refs))}
			if run.known != nil {
				copy(found.values, run.known.values)
			}
		}
		found.values[i] = &tokenValue{value}
	}
	if found != nil {
		run.of.slot(run.token).Store(found)
	}
}

func (t *tokenValues) slot(token *ast.Term) *atomic.Pointer[valuesOfToken] {
	return &t.slots[maphash.Comparable(t.seed, token)%tokenSlots]
}
