package engine

import (
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// landscape is all there is under data: the rules of the policies, and their data.
type landscape struct {
	program *program
	rules   *ast.TreeNode
	data    map[string]any
}

// spot is one place in the landscape: what rules and what data are there. Either may be nil.
type spot struct {
	rules *ast.TreeNode
	data  any
}

// gap is where a reference leads nowhere.
type gap struct {
	// at is the position of the element that is not there.
	at int
	// has are the names beside it, sorted.
	has []string
	// sure is false behind a variable: which member it names may change with the data.
	sure bool
}

// mostSpots bounds how far variables fan out; what is wider counts as met.
const mostSpots = 100_000

// missing says where ref leads nowhere, or nil when a rule or data may meet it.
func (l *landscape) missing(ref ast.Ref, depth int) *gap {
	spots := []spot{{l.rules, l.data}}
	sure := true
	for i := 1; i < len(ref); i++ {
		var next []spot
		for _, s := range spots {
			if s.rules != nil && len(s.rules.Values) > 0 && l.provides(s.rules.Values, ref[i:], depth) {
				return nil
			}
			next = append(next, s.members(ref[i])...)
		}
		if !ast.IsConstant(ref[i].Value) {
			sure = false
		} else if len(next) == 0 {
			return &gap{at: i, has: namesAt(spots), sure: sure}
		}
		if len(next) == 0 || len(next) > mostSpots {
			return nil // nothing to look at, or too much
		}
		spots = next
	}
	return nil
}

// provides reports whether one of the rules at a path may have a value with tail below it.
func (l *landscape) provides(rules []*ast.Rule, tail ast.Ref, depth int) bool {
	return slices.ContainsFunc(rules, func(r *ast.Rule) bool {
		for ; r != nil; r = r.Else {
			if l.mayHave(r, tail, depth) {
				return true
			}
		}
		return false
	})
}

// mayHave reports whether the value of one rule may have tail. Of a value that is data, the data tell.
func (l *landscape) mayHave(r *ast.Rule, tail ast.Ref, depth int) bool {
	if depth == 0 || r.Head.Key != nil || len(r.Head.Args) > 0 || !r.Ref().IsGround() || r.Head.Value == nil {
		return true
	}
	switch r.Head.Value.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return false
	}
	s := l.program.of[r]
	if s == nil {
		return true
	}
	var refs []ast.Ref
	if !l.program.expandTerm(s, r.Head.Value, tail, deepestChain, &refs) {
		return true
	}
	return slices.ContainsFunc(refs, func(ref ast.Ref) bool {
		return !ref.HasPrefix(ast.DefaultRootRef) || l.missing(ref, depth-1) == nil
	})
}

// members are the places that one more element of a reference leads to.
func (s spot) members(t *ast.Term) []spot {
	if !ast.IsConstant(t.Value) {
		return s.all()
	}
	next := spot{}
	if s.rules != nil {
		next.rules = s.rules.Child(t.Value)
	}
	found := next.rules != nil
	switch data := s.data.(type) {
	case map[string]any:
		if name, ok := t.Value.(ast.String); ok {
			if v, is := data[string(name)]; is {
				next.data, found = v, true
			}
		}
	case []any:
		if n, ok := t.Value.(ast.Number); ok {
			if i, err := strconv.Atoi(string(n)); err == nil && i >= 0 && i < len(data) {
				next.data, found = data[i], true
			}
		}
	}
	if !found {
		return nil
	}
	return []spot{next}
}

// all are the places that a variable may lead to.
func (s spot) all() []spot {
	var out []spot
	if s.rules != nil {
		for _, child := range s.rules.Children {
			next := spot{rules: child}
			if name, ok := child.Key.(ast.String); ok {
				if data, ok := s.data.(map[string]any); ok {
					next.data = data[string(name)]
				}
			}
			out = append(out, next)
		}
	}
	switch data := s.data.(type) {
	case map[string]any:
		for name, v := range data {
			if s.rules == nil || s.rules.Child(ast.String(name)) == nil {
				out = append(out, spot{data: v})
			}
		}
	case []any:
		for _, v := range data {
			out = append(out, spot{data: v})
		}
	}
	return out
}

// namesAt are the names of what is at spots, sorted.
func namesAt(spots []spot) []string {
	var names []string
	for _, s := range spots {
		if s.rules != nil {
			for key := range s.rules.Children {
				if name, ok := key.(ast.String); ok {
					names = append(names, string(name))
				}
			}
		}
		if data, ok := s.data.(map[string]any); ok {
			for name := range data {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
