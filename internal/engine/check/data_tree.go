package check

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// dataTree is all there is under data: the rules of the policies, and their data.
type dataTree struct {
	program *Program
	rules   *ast.TreeNode
	data    map[string]any
	// unknown are paths under which anything may be.
	unknown []ast.Ref
}

// MayOverlap reports whether ref may be at, above or below one of paths.
func MayOverlap(paths []ast.Ref, ref ast.Ref) bool {
	return slices.ContainsFunc(paths, func(path ast.Ref) bool {
		n := min(len(path), len(ref))
		return mayBeEqual(path[:n], ref[:n])
	})
}

// treeNode is one place in the landscape: what rules and what data are there. Either may be nil.
type treeNode struct {
	rules *ast.TreeNode
	data  any
}

// missingRef is where a reference leads nowhere.
type missingRef struct {
	// ref is the reference, or the one that a rule on its way stands for.
	ref ast.Ref
	// at is the position of the element that is not there.
	at int
	// siblings are the names beside it, sorted.
	siblings []string
	// certain is false behind a variable: which member it names may change with the data.
	certain bool
}

// maxNodes bounds how far variables fan out; what is wider counts as met.
const maxNodes = 100_000

// missing says where ref leads nowhere, or nil when a rule or data may meet it.
func (l *dataTree) missing(ref ast.Ref, depth int) *missingRef {
	if MayOverlap(l.unknown, ref) {
		return nil
	}
	spots := []treeNode{{l.rules, l.data}}
	sure := true
	var behind *missingRef // where the value of a rule on the way leads nowhere
	for i := 1; i < len(ref); i++ {
		var next []treeNode
		for _, s := range spots {
			if s.rules != nil && len(s.rules.Values) > 0 {
				lost, met := l.provides(s.rules.Values, ref[i:], depth)
				if met {
					return nil
				}
				behind = cmp.Or(behind, lost)
			}
			next = append(next, s.members(ref[i])...)
		}
		if !ast.IsConstant(ref[i].Value) {
			sure = false
		} else if len(next) == 0 {
			return cmp.Or(behind, &missingRef{ref: ref, at: i, siblings: namesOf(spots), certain: sure})
		}
		if len(next) == 0 || len(next) > maxNodes {
			return behind // nothing else to look at, or too much
		}
		spots = next
	}
	return nil
}

// provides reports whether one of the rules at a path may have a value with tail below it, or where that leads nowhere.
func (l *dataTree) provides(rules []*ast.Rule, tail ast.Ref, depth int) (lost *missingRef, met bool) {
	for _, r := range rules {
		for ; r != nil; r = r.Else {
			g, may := l.mayHave(r, tail, depth)
			if may {
				return nil, true
			}
			lost = cmp.Or(lost, g)
		}
	}
	return lost, false
}

// mayHave reports whether the value of one rule may have tail. Of a value that is data, the data tell.
func (l *dataTree) mayHave(r *ast.Rule, tail ast.Ref, depth int) (lost *missingRef, may bool) {
	below := valueAt(r, tail)
	if depth == 0 || below == nil {
		return nil, true
	}
	switch r.Head.Value.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return nil, false
	}
	refs := l.heldAt(r, below)
	for _, ref := range refs {
		if !ref.HasPrefix(ast.DefaultRootRef) {
			return nil, true
		}
		g := l.missing(ref, depth-1)
		if g == nil {
			return nil, true
		}
		lost = cmp.Or(lost, g)
	}
	return lost, len(refs) == 0
}

// valueAt is what of tail is below the value of a rule, or nil where the value itself, or less, is asked for. The names
// of a rule that is built by parts take the first elements of tail.
func valueAt(r *ast.Rule, tail ast.Ref) ast.Ref {
	names := len(r.Ref()) - len(r.Ref().GroundPrefix())
	if r.Head.RuleKind() == ast.MultiValue || len(r.Head.Args) > 0 || len(tail) <= names {
		return nil
	}
	return tail[names:]
}

// heldAt are the references that tail below the value of a rule stands for, or none where it may be something else.
func (l *dataTree) heldAt(r *ast.Rule, tail ast.Ref) (refs []ast.Ref) {
	s := l.program.of[r]
	if s == nil || !l.program.expandTerm(s, r.Head.Value, tail, maxBindingDepth, &refs) {
		return nil
	}
	return refs
}

// members are the places that one more element of a reference leads to.
func (s treeNode) members(t *ast.Term) []treeNode {
	if !ast.IsConstant(t.Value) {
		return s.all()
	}
	next := treeNode{}
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
	return []treeNode{next}
}

// all are the places that a variable may lead to.
func (s treeNode) all() []treeNode {
	var out []treeNode
	if s.rules != nil {
		for _, child := range s.rules.Children {
			next := treeNode{rules: child}
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
				out = append(out, treeNode{data: v})
			}
		}
	case []any:
		for _, v := range data {
			out = append(out, treeNode{data: v})
		}
	}
	return out
}

// namesOf are the names of what is at spots, sorted.
func namesOf(spots []treeNode) []string {
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
