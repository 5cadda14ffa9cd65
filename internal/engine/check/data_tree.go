package check

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// dataTree is what there is under data: the rules of the policies, and the data of the set.
type dataTree struct {
	program *Program
	rules   *ast.TreeNode
	data    rego.Data // nil when it cannot be read
	// unknown are paths at which anything may be.
	unknown []ast.Ref
	// provided are the forms of references for which nothing is missing: many references lead through the same data.
	provided map[string]bool
	form     []byte
}

// top is the node of data itself.
func (l *dataTree) top() treeNode {
	return treeNode{l.rules, l.data}
}

// MayOverlap reports whether ref may be at, above or below one of paths.
func MayOverlap(paths []ast.Ref, ref ast.Ref) bool {
	return slices.ContainsFunc(paths, func(path ast.Ref) bool {
		n := min(len(path), len(ref))
		return mayBeEqual(path[:n], ref[:n])
	})
}

// treeNode is the rules and the data at one path. Either may be nil.
type treeNode struct {
	rules *ast.TreeNode
	data  rego.Data
}

// missingRef is a reference with an element that neither rules nor data provide.
type missingRef struct {
	// ref is the reference, or what a rule on its way stands for.
	ref ast.Ref
	// at is the position of the missing element.
	at int
	// there are the nodes that lack it.
	there []treeNode
	// certain is false behind a variable, which may name other members with other data.
	certain bool
}

// maxNodes bounds how many nodes variables may lead to. A reference to more counts as provided.
const maxNodes = 100_000

// siblings are the names that are there instead, sorted.
func (g *missingRef) siblings() []string { return namesOf(g.there) }

// missing is the first element of ref that nothing provides, or nil when a rule or data may provide ref. depth bounds
// how many rules are followed.
func (l *dataTree) missing(ref ast.Ref, depth int) *missingRef {
	l.form = appendForm(l.form[:0], ref, depth)
	if l.provided[string(l.form)] {
		return nil
	}
	form := string(l.form)
	found := l.look(ref, depth)
	if found == nil {
		if l.provided == nil {
			l.provided = map[string]bool{}
		}
		l.provided[form] = true
	}
	return found
}

// appendForm appends what references have in common that lead to the same, followed so deep: all but the names of
// variables.
func appendForm(form []byte, ref ast.Ref, depth int) []byte {
	form = strconv.AppendInt(form, int64(depth), 10)
	for _, t := range ref {
		form = append(form, '.')
		if text, ok := t.Value.(ast.String); ok {
			form = strconv.AppendQuote(form, string(text))
		} else if ast.IsConstant(t.Value) {
			form = append(form, t.Value.String()...)
		}
	}
	return form
}

// look is missing without what is known.
func (l *dataTree) look(ref ast.Ref, depth int) *missingRef {
	if MayOverlap(l.unknown, ref) {
		return nil
	}
	nodes := []treeNode{l.top()}
	sure := true
	var behind *missingRef // of the value of a rule on the way
	for i := 1; i < len(ref); i++ {
		next := make([]treeNode, 0, len(nodes))
		many := false
		for _, s := range nodes {
			if s.rules != nil && len(s.rules.Values) > 0 {
				lost, met := l.provides(s.rules.Values, ref[i:], depth)
				if met {
					return nil
				}
				behind = cmp.Or(behind, lost)
			}
			if many = many || s.moreThan(maxNodes, ref[i]); !many {
				next = s.appendMembers(next, ref[i])
			}
		}
		if !ast.IsConstant(ref[i].Value) {
			sure = false
		} else if len(next) == 0 {
			return cmp.Or(behind, &missingRef{ref: ref, at: i, there: nodes, certain: sure})
		}
		if many || len(next) == 0 || len(next) > maxNodes {
			return behind // no other node, or too many
		}
		nodes = next
	}
	return nil
}

// provides reports whether one of the rules at a path may have a value with tail below it; lost is what is missing if
// not.
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

// mayHave reports whether the value of one rule may have tail below it. A value that stands for data is looked up
// there.
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

// valueAt is the part of tail below the value of a rule, or nil when tail ends at the value or before. The variables
// in the name of a rule stand for the first elements of tail.
func valueAt(r *ast.Rule, tail ast.Ref) ast.Ref {
	name := r.Head.Ref()
	names := len(name) - len(name.GroundPrefix())
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

// appendMembers appends the nodes that one more element of a reference leads to.
func (s treeNode) appendMembers(to []treeNode, t *ast.Term) []treeNode {
	if !ast.IsConstant(t.Value) {
		return s.appendAll(to)
	}
	next := treeNode{}
	if s.rules != nil {
		next.rules = s.rules.Child(t.Value)
	}
	if s.data != nil {
		next.data = memberAt(s.data, t.Value)
	}
	if next.rules == nil && next.data == nil {
		return to
	}
	return append(to, next)
}

// memberAt is a member of an object or an element of an array; nil where there is none.
func memberAt(data rego.Data, at ast.Value) rego.Data {
	if name, ok := at.(ast.String); ok {
		return data.Member(string(name))
	}
	number, _ := at.(ast.Number)
	if i, err := strconv.Atoi(string(number)); err == nil && data.Kind() == term.ArrayKind {
		for _, element := range data.All() {
			if i == 0 {
				return element
			}
			i--
		}
	}
	return nil
}

// moreThan reports whether t may lead to more than so many nodes of data.
func (s treeNode) moreThan(most int, t *ast.Term) bool {
	return s.data != nil && !ast.IsConstant(t.Value) && s.data.Len() > most
}

// appendAll appends the nodes that a variable may lead to.
func (s treeNode) appendAll(to []treeNode) []treeNode {
	if s.rules != nil {
		for _, child := range s.rules.Children {
			next := treeNode{rules: child}
			if name, ok := child.Key.(ast.String); ok && s.data != nil {
				next.data = s.data.Member(string(name))
			}
			to = append(to, next)
		}
	}
	if s.data == nil {
		return to
	}
	object := s.data.Kind() == term.ObjectKind
	to = slices.Grow(to, s.data.Len())
	for name, v := range s.data.All() {
		if !object || s.rules == nil || s.rules.Child(ast.String(name)) == nil {
			to = append(to, treeNode{data: v})
		}
	}
	return to
}

// namesOf are the names of the children of nodes, sorted.
func namesOf(nodes []treeNode) []string {
	var names []string
	for _, s := range nodes {
		if s.rules != nil {
			for key := range s.rules.Children {
				if name, ok := key.(ast.String); ok {
					names = append(names, string(name))
				}
			}
		}
		if s.data != nil && s.data.Kind() == term.ObjectKind {
			for name := range s.data.All() {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
