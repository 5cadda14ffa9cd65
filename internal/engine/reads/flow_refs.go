package reads

import "github.com/open-policy-agent/opa/v1/ast"

// ref is the class of a reference. Its parts choose among what it leads into, or are chosen by that.
func (f *flow) ref(r *Rule, ref ast.Ref) class {
	f.followed[&ref[0]] = true
	head, ok := ref[0].Value.(ast.Var)
	switch {
	case !ok:
		f.unknown = true
		return 0
	case ref[0].Equal(ast.InputRootDocument):
		return f.input(r, ref)
	case ref[0].Equal(ast.DefaultRootDocument):
		within := f.below(ref)
		f.parts(r, ref[1:], within)
		return parts(within)
	}
	within := f.vars[variable{r, head}]
	f.parts(r, ref[1:], within)
	return parts(within)
}

// parts follows the parts of a reference into values of a class.
func (f *flow) parts(r *Rule, ref ast.Ref, within class) {
	for _, t := range ref {
		f.compare(f.term(r, t) | parts(within))
		if v, ok := t.Value.(ast.Var); !ok || !r.pinned[v] {
			f.bind(r, t, parts(within))
		}
	}
}

// input is the class of a reference into the input.
func (f *flow) input(r *Rule, ref ast.Ref) class {
	var beginning [3]Step // as long as tells what ref is within
	p := appendConstant(beginning[:0], ref[1:min(len(ref), 1+len(beginning))])
	if within(segmentsPath, p) && len(p) < len(segmentsPath) { // what is read has the segments in it
		f.unknown = true
		return 0
	}
	if within(p, segmentsPath) {
		for _, t := range ref[3:] {
			f.term(r, t)
		}
		if len(ref) == 3 {
			return segments
		}
		return segment
	}
	for name, path := range mapPaths {
		switch {
		case within(path, p) && len(ref) <= 3:
			f.whole[name] = true
		case within(p, path) && len(ref) > 3:
			f.names[name] |= f.nameClass(r, ref[3])
		}
	}
	f.parts(r, ref[1:], member)
	return member
}

// nameClass is the class of what chooses a member of a map.
func (f *flow) nameClass(r *Rule, t *ast.Term) class {
	if v, ok := t.Value.(ast.Var); ok && !r.pinned[v] {
		return member
	}
	return f.term(r, t)
}

// below is the class of the values of all rules that a reference may lead to.
func (f *flow) below(ref ast.Ref) (c class) {
	node := f.tree
	for i, t := range ref {
		if i > 0 && !ast.IsConstant(t.Value) {
			break
		}
		if node = node.Child(t.Value); node == nil {
			return c
		}
		c |= f.valuesAt(node)
	}
	node.DepthFirst(func(n *ast.TreeNode) bool {
		c |= f.valuesAt(n)
		return false
	})
	return c
}

func (f *flow) valuesAt(n *ast.TreeNode) (c class) {
	for _, r := range n.Values {
		for ; r != nil; r = r.Else {
			c |= f.values[r]
		}
	}
	return c
}

var (
	segmentsPath = Path{{Name: "request"}, {Name: "segments"}}
	mapPaths     = map[string]Path{
		"headers": {{Name: "request"}, {Name: "headers"}}, "query": {{Name: "request"}, {Name: "query"}},
	}
)
