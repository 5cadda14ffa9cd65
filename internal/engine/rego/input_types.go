package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// logPackage is the package whose rules have an event of the decision log as their input, without a schema.
var logPackage = ast.MustParseRef("data.system.log")

// inputTypes tells which references are strings in every evaluation of a rule. The input has the types of its schema,
// but where a "with" replaces it, and in masks of the decision log.
type inputTypes struct {
	compiler *ast.Compiler
	schema   map[string]any
	// masked are the rules that a mask of the decision log may evaluate.
	masked map[*ast.Rule]bool
	// replacements are those of the input, by target.
	replacements []*replacement
	// mocks are the functions that a "with" puts in the place of others. Each may be called wherever a function is.
	mocks []ast.Ref
}

// replacement is a target below input and what "with" puts there: one constant, or values that are known at run time
// only, of all expressions that replace the target by such.
type replacement struct {
	target   ast.Ref
	constant ast.Value
	exprs    []*ast.Expr
	// reached are the rules that exprs may evaluate, once they were asked for.
	reached map[*ast.Rule]bool
}

func newInputTypes(c *ast.Compiler, schema map[string]any) *inputTypes {
	t := &inputTypes{compiler: c, schema: schema, masked: map[*ast.Rule]bool{}}
	found := map[string]*replacement{}
	for _, m := range c.Modules {
		ast.WalkExprs(m, func(x *ast.Expr) bool {
			for _, w := range x.With {
				t.add(x, w, found)
			}
			return false
		})
	}
	for r := range Dependencies(c, logPackage) {
		t.masked[r] = true
	}
	return t
}

func (t *inputTypes) add(x *ast.Expr, w *ast.With, found map[string]*replacement) {
	target, _ := w.Target.Value.(ast.Ref)
	if !target.HasPrefix(ast.InputRootRef) {
		if value, ok := w.Value.Value.(ast.Ref); ok {
			t.mocks = append(t.mocks, value)
		}
		return
	}
	key, constant := target.String(), ast.Value(nil)
	if ast.IsConstant(w.Value.Value) {
		constant = w.Value.Value
		key += " " + constant.String()
	}
	one := found[key]
	if one == nil {
		one = &replacement{target: target, constant: constant}
		found[key], t.replacements = one, append(t.replacements, one)
	}
	one.exprs = append(one.exprs, x)
}

// alwaysString reports whether the operand of a call in the body of r is a string in every evaluation: each reference
// that it stands for is a member of the input which the schema says is a string, and no "with" around r makes another
// type of it. Data may be replaced by "with" and change with each load, and arguments of functions are given by their
// callers, so neither counts. What else is unified with the operand does not matter: the index takes a variable for a
// reference where the two are unified before the call.
func (t *inputTypes) alwaysString(r *ast.Rule, operand *ast.Term) bool {
	refs := referencesOf(r.Body, operand)
	return len(refs) > 0 && !t.masked[r] && !slices.ContainsFunc(refs, func(ref ast.Ref) bool {
		return !isString(t.schema, ref) || slices.ContainsFunc(t.replacements, func(by *replacement) bool {
			return !by.keepsString(ref) && t.reaches(by, r)
		})
	})
}

// isString reports whether a schema of the input says that ref is a string.
func isString(schema map[string]any, ref ast.Ref) bool {
	if !ref.HasPrefix(ast.InputRootRef) {
		return false
	}
	at := schema
	for _, step := range ref[1:] {
		var next map[string]any
		switch at["type"] {
		case "object":
			name, constant := step.Value.(ast.String)
			if next, _ = propertiesOf(at)[string(name)].(map[string]any); next == nil {
				next, _ = at["additionalProperties"].(map[string]any)
			}
			if !constant && len(propertiesOf(at)) > 0 {
				return false
			}
		case "array":
			next, _ = at["items"].(map[string]any)
		}
		if at = next; at == nil {
			return false
		}
	}
	return at["type"] == "string"
}

// keepsString reports whether a string at ref is a string, or absent, after the replacement.
func (by *replacement) keepsString(ref ast.Ref) bool {
	switch {
	case !ref.HasPrefix(by.target):
		return by.target.IsGround() && ref.IsGround() && !by.target.HasPrefix(ref)
	case by.constant == nil || !ref.IsGround():
		return false
	}
	value, err := by.constant.Find(ref[len(by.target):])
	if err != nil {
		return true // absent
	}
	_, ok := value.(ast.String)
	return ok
}

// reaches reports whether an expression with a replacement may evaluate r.
func (t *inputTypes) reaches(by *replacement, r *ast.Rule) bool {
	if by.reached == nil {
		by.reached = map[*ast.Rule]bool{}
		refs := slices.Clone(t.mocks)
		for _, x := range by.exprs {
			ast.WalkRefs(x, func(ref ast.Ref) bool {
				refs = append(refs, ref)
				return false
			})
		}
		for _, ref := range refs {
			for r := range Dependencies(t.compiler, ref) {
				by.reached[r] = true
			}
		}
	}
	return by.reached[r]
}
