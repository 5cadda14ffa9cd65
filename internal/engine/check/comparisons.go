package check

import (
	"cmp"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// comparisons are the builtins whose operands OPA does not type-check against each other.
var comparisons = map[string]string{
	"neq": "!=", "equal": "==", "eq": "==", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=",
}

// comparisonProblems finds comparisons of values that never have the same type, and values of the input that a builtin
// never accepts, which OPA's type check lets pass behind arguments of functions. Such an expression has the same
// outcome for every request.
func (p *Program) comparisonProblems() bundle.Problems {
	var out bundle.Problems
	for _, s := range p.scopes {
		if s.logged {
			continue
		}
		for _, c := range s.calls {
			if cause := p.mismatch(s, c.text, c.args); cause != "" {
				out = append(out, rego.ProblemAt(c.at, ast.TypeErr, "%s", cause))
			}
		}
	}
	return out.Sorted()
}

func (p *Program) mismatch(s *scope, name string, args []*ast.Term) string {
	if op, ok := comparisons[name]; ok && len(args) >= 2 {
		a, b := p.typeOf(s, args[0]), p.typeOf(s, args[1])
		if term.Differ(a.of, b.of) && !a.may(args[1]) && !b.may(args[0]) {
			outcome := "are never equal"
			if op[0] == '<' || op[0] == '>' {
				outcome = "always compare the same"
			}
			return fmt.Sprintf("match error: %s compares %s with %s, which %s%s", op, a.words(), b.words(), outcome,
				rego.ArrayHint(a.ref, b.ref))
		}
		if op == "==" || op == "!=" {
			return cmp.Or(p.impossibleTexts(s, args[0], p.constants(s, args[1], maxBindingDepth)),
				p.impossibleTexts(s, args[1], p.constants(s, args[0], maxBindingDepth)))
		}
		return ""
	}
	if (name == ast.Member.Name || name == ast.MemberWithKey.Name) && len(args) >= 2 {
		return p.impossibleMember(s, args[len(ast.BuiltinMap[name].Decl.FuncArgs().Args)-2:])
	}
	builtin := ast.BuiltinMap[name]
	if builtin == nil {
		return ""
	}
	for i, want := range builtin.Decl.FuncArgs().Args {
		if i >= len(args) {
			break
		}
		have := p.typeOf(s, args[i])
		if have.of != nil && have.ref.HasPrefix(ast.InputRootRef) && term.Disjoint(have.of, want) && !have.may(nil) {
			return fmt.Sprintf("%s: argument %d is %s, which it never takes%s", name, i+1, have.words(),
				rego.ArrayHint(have.ref))
		}
	}
	return ""
}

// impossibleMember says why the first of two terms is never in the second, or is empty.
func (p *Program) impossibleMember(s *scope, args []*ast.Term) string {
	one, of := p.typeOf(s, args[0]), p.typeOf(s, args[1])
	switch {
	case of.of == nil || of.otherwise != nil:
	case term.KindsOf(of.of)&(term.CollectionKinds|term.NullKind) == 0:
		return fmt.Sprintf("match error: nothing is in %s, which is no collection%s", of.words(),
			rego.ArrayHint(of.ref))
	case term.IsCollection(of.of) && term.Differ(one.of, term.ElementsOf(of.of)) && one.otherwise == nil:
		return fmt.Sprintf("match error: %s is never in %s%s", one.words(), of.words(), rego.ArrayHint(one.ref))
	}
	return p.impossibleTexts(s, args[0], elements(p.listOf(s, args[1])))
}

// listOf is the constant list that a term stands for, or nil.
func (p *Program) listOf(s *scope, t *ast.Term) ast.Value {
	if all := p.constants(s, t, maxBindingDepth); len(all) == 1 {
		return all[0].Value
	}
	return nil
}

// termType is what is known about a term: its type, nil when unknown, and the member of the input that it stands for.
type termType struct {
	of  types.Type
	ref ast.Ref
	// otherwise is the default of an object.get, which may be the value instead.
	otherwise *ast.Term
}

// may reports whether a comparison may be with the default of an object.get.
func (t termType) may(with *ast.Term) bool {
	if t.otherwise == nil {
		return false
	}
	return with == nil || !ast.IsConstant(t.otherwise.Value) || !ast.IsConstant(with.Value) || t.otherwise.Equal(with)
}

func (t termType) words() string {
	if t.ref != nil {
		return fmt.Sprintf("%s (%s)", rego.AsWritten(t.ref), types.Sprint(t.of))
	}
	return "a value of type " + types.Sprint(t.of)
}

// typeOf is the type of a term: of a constant, of the member of the input or the data that it stands for, of the
// result of object.get on such a member, or else the type that OPA infers.
func (p *Program) typeOf(s *scope, t *ast.Term) termType {
	if ast.IsConstant(t.Value) {
		return termType{of: p.compiler.TypeEnv.GetByValue(t.Value)}
	}
	var refs []ast.Ref
	if p.expandTerm(s, t, nil, maxBindingDepth, &refs) && len(refs) > 0 {
		if of := p.typeOfAll(refs); of != nil || p.replacedAt(refs[0]) {
			return termType{of: of, ref: refs[0]}
		}
	}
	if v, ok := t.Value.(ast.Var); ok {
		if found := p.typeOfLookup(s, v); found.of != nil || found.otherwise != nil {
			return found
		}
		if all := p.constants(s, t, maxBindingDepth); len(all) > 0 {
			var of types.Type
			for _, one := range all {
				of = types.Or(of, p.compiler.TypeEnv.GetByValue(one.Value))
			}
			return termType{of: of}
		}
	}
	return termType{of: p.inferredType(s, t)}
}

// typeOfAll is the type of a value that is one of refs, or nil where the type of one of them is unknown.
func (p *Program) typeOfAll(refs []ast.Ref) types.Type {
	var all types.Type
	for _, ref := range refs {
		one := p.typeOfRef(ref)
		if one == nil {
			return nil
		}
		all = types.Or(all, one)
	}
	return all
}

// typeOfLookup is the type of a variable with the result of object.get.
func (p *Program) typeOfLookup(s *scope, v ast.Var) termType {
	var out termType
	for _, c := range s.calls {
		if len(c.args) != 4 || c.text != ast.ObjectGet.Name || c.args[3].Value != ast.Value(v) {
			continue
		}
		keys := p.keysOf(s, c.args[1])
		var refs []ast.Ref
		out.otherwise = c.args[2]
		if keys != nil && p.expandTerm(s, c.args[0], keys, maxBindingDepth, &refs) && len(refs) > 0 {
			out = termType{of: p.typeOfAll(refs), ref: refs[0], otherwise: c.args[2]}
		}
	}
	return out
}
