package partial

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// sliceRule is the rule that slice adds to the package of an entrypoint; beforeRule begins the names of those that
// tell whether a branch of an else chain holds.
const (
	sliceRule  = "sidecar__allows"
	beforeRule = "sidecar__branch"
	chosenRule = "sidecar__chosen"
)

// slicer adds to the package of an entrypoint a rule that is true where the entrypoint allows. Branches that cannot
// allow are left out, so that their reasons and challenges cost nothing; without this, the else chains of a decision
// stop partial evaluation.
type slicer struct {
	home     *ast.Module
	defined  func(path string) bool
	branches int
	// rules are those of the entrypoint; chosen are the rules that tell whether a branch of one gives the value.
	rules  []*ast.Rule
	chosen map[*ast.Rule]*ast.Term
}

// slice adds the rule to the module that holds the entrypoint at path. modules are parsed and not compiled; program is
// that of the same modules, compiled. It is an error when there is no such rule.
func slice(modules map[string]*ast.Module, path string, program *check.Program) error {
	ref := rego.RefOf(path)
	s := &slicer{defined: program.AlwaysDefined, chosen: map[*ast.Rule]*ast.Term{}}
	var byDefault *ast.Rule
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		for _, r := range m.Rules {
			switch {
			case len(r.Head.Args) > 0 || !m.Package.Path.Extend(r.Head.Ref()).Equal(ref):
				continue
			case r.Default:
				byDefault = r
			default:
				s.rules = append(s.rules, r)
			}
			s.home = m
		}
	}
	if s.home == nil {
		return fmt.Errorf("no rule data.%s", rego.Dotted(path))
	}
	for _, r := range s.rules {
		for b := r; b != nil; b = b.Else {
			b.Head.Value = writtenOut(b, modules)
		}
	}
	// A body refers to the imports of its own module: rules of other modules would have to be resolved first.
	for _, r := range s.rules {
		s.homeOf(r)
	}
	var all []*ast.Term
	for _, r := range s.rules {
		all = append(all, s.chain(r, byDefault != nil)...)
	}
	if byDefault != nil {
		for range allowing(byDefault) {
			s.add(byDefault, sliceRule, negations(all))
		}
	}
	return nil
}

// homeOf makes the module of a rule the one that its slices are added to.
func (s *slicer) homeOf(r *ast.Rule) { s.home = r.Module }

// chain adds a rule for each branch of r that can allow: the branch holds, and none before it. It returns what tells
// whether a branch holds.
func (s *slicer) chain(r *ast.Rule, needed bool) []*ast.Term {
	s.homeOf(r)
	var before []*ast.Term
	for b := r; b != nil; b = b.Else {
		for _, wanted := range allowing(b) {
			body := append(negations(before), b.Body.Copy()...)
			body = append(body, wanted...)
			body = append(body, negations(s.conflicting(r, b.Head.Value))...)
			s.homeOf(r)
			s.add(b, sliceRule, append(body, s.definitions(b)...))
		}
		if b.Else == nil && !needed {
			break
		}
		name := fmt.Sprintf("%s_%d", beforeRule, s.branches)
		s.branches++
		s.add(b, name, append(b.Body.Copy(), s.definitions(b)...))
		before = append(before, ast.VarTerm(name))
	}
	return before
}

// conflicting are the branches of the other rules that give another value than that of a branch of r. Where both hold,
// the decision has two values, which is an error.
func (s *slicer) conflicting(r *ast.Rule, value *ast.Term) (out []*ast.Term) {
	for _, other := range s.rules {
		if other == r {
			continue
		}
		for b := other; b != nil; b = b.Else {
			if differ(value, b.Head.Value) {
				out = append(out, s.chosenBranch(other, b))
			}
		}
	}
	return out
}

// chosenBranch is a rule that holds where the chain of r ends in branch.
func (s *slicer) chosenBranch(r, branch *ast.Rule) *ast.Term {
	s.homeOf(r)
	var before []*ast.Term
	for b := r; b != nil; b = b.Else {
		if s.chosen[b] == nil {
			s.chosen[b] = ast.VarTerm(fmt.Sprintf("%s_%d", chosenRule, len(s.chosen)))
			body := append(negations(before), b.Body.Copy()...)
			s.add(b, string(s.chosen[b].Value.(ast.Var)), append(body, s.definitions(b)...))
		}
		if b == branch {
			break
		}
		before = append(before, s.chosen[b])
	}
	return s.chosen[branch]
}

// differ reports whether two values of the entrypoint are certainly not the same.
func differ(a, b *ast.Term) bool {
	if ast.IsConstant(a.Value) && ast.IsConstant(b.Value) {
		return !a.Equal(b)
	}
	x, y := allowOf(a), allowOf(b)
	return x != nil && y != nil && ast.IsConstant(x.Value) && ast.IsConstant(y.Value) && !x.Equal(y)
}

// allowOf is the part of a value that says whether it allows, or nil when that is not known.
func allowOf(value *ast.Term) *ast.Term {
	if o, ok := value.Value.(ast.Object); ok {
		return o.Get(ast.StringTerm("allow"))
	}
	if _, ok := value.Value.(ast.Boolean); ok {
		return value
	}
	return nil
}

// add adds the rule "name if body" beside the rule of b.
func (s *slicer) add(b *ast.Rule, name string, body ast.Body) {
	if len(body) == 0 {
		body = ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
	}
	for i := range body {
		body[i].Index = i
	}
	head := ast.NewHead(ast.Var(name))
	head.Value = ast.BooleanTerm(true)
	head.Location = b.Location
	s.home.Rules = append(s.home.Rules, &ast.Rule{Head: head, Body: body, Module: s.home, Location: b.Location})
}

// allowing gives for each way in which the value of a branch can allow what must hold besides its body: the value is
// true, or an object with allow: true.
func allowing(b *ast.Rule) []ast.Body {
	value := b.Head.Value
	o, isObject := value.Value.(ast.Object)
	if isObject {
		if value = o.Get(ast.StringTerm("allow")); value == nil {
			return nil
		}
	}
	isTrue := func(t *ast.Term) ast.Body {
		x := ast.Equality.Expr(t.Copy(), ast.BooleanTerm(true))
		x.Location = b.Location
		return ast.NewBody(x)
	}
	switch v := value.Value.(type) {
	case ast.Boolean:
		if v {
			return []ast.Body{nil}
		}
		return nil
	case ast.String, ast.Number, ast.Null, *ast.Array, ast.Set:
		return nil
	case ast.Var:
		if !isObject {
			return []ast.Body{isTrue(value), isTrue(ast.RefTerm(value, ast.StringTerm("allow")))}
		}
	case ast.Ref:
		if !isObject {
			return []ast.Body{isTrue(value), isTrue(ast.NewTerm(v.Append(ast.StringTerm("allow"))))}
		}
	}
	if isObject {
		return []ast.Body{isTrue(value)}
	}
	// A call, or a comprehension: its value gets a name.
	answer := ast.VarTerm("sidecar__answer")
	named := ast.Equality.Expr(answer, value.Copy())
	named.Location = b.Location
	return []ast.Body{
		append(ast.NewBody(named), isTrue(answer)...),
		append(ast.NewBody(named.Copy()), isTrue(ast.RefTerm(answer, ast.StringTerm("allow")))...),
	}
}

// definitions are expressions which hold where the members of the value of b other than allow are defined: where one
// is not, the whole value is undefined, and no request is allowed.
func (s *slicer) definitions(b *ast.Rule) (out ast.Body) {
	local := ast.NewVarSet()
	ast.WalkVars(b.Body, func(v ast.Var) bool {
		local.Add(v)
		return false
	})
	define := func(t *ast.Term) {
		x := ast.NotEqual.Expr(t.Copy(), ast.StringTerm(formula.Absent))
		x.Location = b.Location
		out = append(out, x)
	}
	var visit func(t *ast.Term)
	visit = func(t *ast.Term) {
		switch v := t.Value.(type) {
		case ast.Var:
			if !local.Contains(v) && !s.defined(rego.PathOf(s.home.Package.Path.Append(ast.StringTerm(string(v))))) {
				define(t)
			}
		case ast.Ref:
			if !s.alwaysDefined(v) {
				define(t)
			}
		case ast.Call:
			if ast.BuiltinMap[v[0].String()] == nil {
				define(t)
				return
			}
			for _, arg := range v[1:] {
				visit(arg)
			}
		case ast.Object:
			v.Foreach(func(_, member *ast.Term) { visit(member) })
		case *ast.Array:
			v.Foreach(visit)
		}
	}
	visit(b.Head.Value)
	return out
}

// alwaysDefined reports whether a reference of the slicer's module is one to a member that every document has, or to a
// rule with a value for every input.
func (s *slicer) alwaysDefined(ref ast.Ref) bool {
	if ref.HasPrefix(ast.InputRootRef) {
		return requiredInput(ref)
	}
	for _, i := range s.home.Imports {
		path, ok := i.Path.Value.(ast.Ref)
		if ok && i.Name().Compare(ref[0].Value) == 0 {
			ref = append(path.Copy(), ref[1:]...)
			break
		}
	}
	return ref.HasPrefix(ast.DefaultRootRef) && ref.IsGround() && s.defined(rego.PathOf(ref))
}

// requiredInput reports whether every document has the member ref.
func requiredInput(ref ast.Ref) bool { return required(inputSchema(), ref[1:]) }

// requiredIn reports the same of the part of a document that the member name has the rest of.
func requiredIn(name string, rest ast.Ref) bool {
	member, _ := rego.Property(inputSchema(), name)
	return required(member, rest)
}

func required(schema map[string]any, path ast.Ref) bool {
	for _, t := range path {
		name, ok := t.Value.(ast.String)
		member, always := rego.Property(schema, string(name))
		if !ok || !always || member == nil {
			return false
		}
		schema = member
	}
	return true
}

// negations are "not term" for each of terms.
func negations(terms []*ast.Term) ast.Body {
	var out ast.Body
	for _, t := range terms {
		out = append(out, negation(t))
	}
	return out
}

func negation(t *ast.Term) *ast.Expr {
	x := ast.NewExpr(t.Copy())
	if call, ok := t.Value.(ast.Call); ok {
		x = ast.NewExpr([]*ast.Term(call.Copy()))
	}
	x.Negated = true
	return x
}
