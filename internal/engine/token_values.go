package engine

import (
	"hash/maphash"
	"sync/atomic"
	"weak"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/reads"
)

// tokenValues keeps the values of rules that follow from input.token and data alone, such as the identity that a
// policy tells the upstream, and those of functions that follow from these and from their arguments, for the next
// request with the same token. A token is the same when its term is: what differs from request to request, as its age,
// makes another term as soon as a policy can see it.
//
// It is safe for concurrent use; nil keeps nothing.
type tokenValues struct {
	keepable
	seed  maphash.Seed
	slots [tokenSlots]atomic.Pointer[valuesOfToken]
}

// tokenSlots is how many tokens there are values of. Another token takes the slot of one before.
const tokenSlots = 512

// valuesOfToken are the values of refs, each nil while it is not known, and of calls. It is immutable, and keeps no
// token in memory: how many tokens are kept there is for package document to say.
type valuesOfToken struct {
	token  weak.Pointer[ast.Term]
	values []*keptValue
	calls  []keptCall
}

var nothingOfToken valuesOfToken

// newTokenValues returns nil when the rule at ref depends on no rule whose value can be kept.
func newTokenValues(p *reads.Program, ref ast.Ref) *tokenValues {
	k := keptRules(p, ref, func(p reads.Path) bool { return len(p) > 0 && p[0].Name == "token" })
	if len(k.refs)+len(k.operators) == 0 {
		return nil
	}
	return &tokenValues{keepable: k, seed: maphash.MakeSeed()}
}

// tokenRun is one evaluation with a token.
type tokenRun struct {
	of    *tokenValues
	token *ast.Term
	known *valuesOfToken // not nil
}

// fill puts what is known of the token of an input into the cache of an evaluation.
func (t *tokenValues) fill(values *virtualCache, in ast.Value) (run tokenRun) {
	if t == nil {
		return run
	}
	if o, ok := in.(ast.Object); ok {
		run.token = o.Get(tokenName)
	}
	if run.token == nil {
		return run
	}
	run.of, run.known = t, &nothingOfToken
	known := t.slot(run.token).Load()
	if known == nil || known.token.Value() != run.token {
		return run
	}
	run.known = known
	put(values, t.refs, known.values)
	for _, call := range known.calls {
		values.know(call.ref, call.value)
	}
	return run
}

var tokenName = ast.InternedTerm("token")

// keep takes what an evaluation without an error found out about its token: what was not listed before it.
func (run tokenRun) keep(values *virtualCache, listed int) {
	if run.of == nil {
		return
	}
	more, found := foundValues(values, run.of.refs, run.known.values, maxKeptValue)
	calls, called := foundCalls(values.since(listed), run.of.operators, run.known.calls)
	if found || called {
		run.of.slot(run.token).Store(&valuesOfToken{weak.Make(run.token), more, calls})
	}
}

// values are those of rules that were known before the evaluation.
func (run tokenRun) values() []*keptValue {
	if run.known == nil {
		return nil
	}
	return run.known.values
}

func (t *tokenValues) slot(token *ast.Term) *atomic.Pointer[valuesOfToken] {
	return &t.slots[maphash.Comparable(t.seed, token)%tokenSlots]
}
