package migrate

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// denying are the beginnings of names of rules that take away what others allow.
var denying = []string{"deny", "denied", "violation", "forbid", "block", "reject"}

// lookUnderNot notes what an expression reads that holds when that is absent.
func (s *session) lookUnderNot(out *seen, x *ast.Expr, sc *scope) {
	for name := range s.readBy(x, sc) {
		out.negated[name] = true
	}
}

// readBy are the paths below the input and the rules that a node reads.
func (s *session) readBy(node any, sc *scope) map[string]bool {
	out := map[string]bool{}
	ast.WalkTerms(node, func(t *ast.Term) bool {
		ref := asRef(t)
		if ref == nil {
			return false
		}
		if to := s.resolve(ref, sc); isInput(to) {
			out[pathOf(to)] = true
		} else if to := s.static(ref, sc); to != nil {
			out[s.ruleOf(to)] = true
		}
		return false
	})
	return out
}

// lookAtRule notes what a rule reads, and whether it takes away what others allow.
func (s *session) lookAtRule(out *seen, m *module, r *ast.Rule) {
	name := fullName(m, r)
	if out.by[name] == nil {
		out.by[name] = map[string]bool{}
	}
	for read := range s.readBy(r, s.inRule(m, r)) {
		if read != name {
			out.by[name][read] = true
		}
	}
	isFalse := r.Head.Value != nil && r.Head.Value.Equal(ast.BooleanTerm(false)) && !r.Default
	for _, word := range denying {
		if isFalse || strings.HasPrefix(last(name), word) {
			out.negated[name] = true
		}
	}
}

// spread marks what rules read that are read under a "not".
func (s *seen) spread() {
	for again := true; again; {
		again = false
		for name, reads := range s.by {
			if !s.negated[name] {
				continue
			}
			for read := range reads {
				if !s.negated[read] {
					s.negated[read], again = true, true
				}
			}
		}
	}
}
