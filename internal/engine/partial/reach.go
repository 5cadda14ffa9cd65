package partial

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Meaning is a text that is equal for programs whose entrypoints decide alike: the rules that the entrypoint depends
// on, and the data that these read.
func (p *Program) Meaning() string { return p.textOf(p.reachable(nil), nil) }

// MeaningBesideRoutes is Meaning without data.routes, for an entrypoint that reads these only by way of the route of
// the request (see Route). ok is false for others.
func (p *Program) MeaningBesideRoutes() (text string, ok bool) {
	route, routes := rego.RefOf("sidecar/routes/route"), rego.RefOf("routes")
	if !p.usesRoutes {
		return "", false
	}
	for r := range p.reachable(route) {
		found := false
		rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
			ref = ref.GroundPrefix()
			found = found || ref.HasPrefix(ast.DefaultRootRef) && (ref.HasPrefix(routes) || len(ref) == 1)
		})
		if found && !r.Ref().Equal(route) {
			return "", false
		}
	}
	return p.textOf(p.reachable(nil), routes), true
}

// reachable are the rules that the entrypoint depends on; it goes no further than the rules at cut.
func (p *Program) reachable(cut ast.Ref) map[*ast.Rule]bool {
	out := map[*ast.Rule]bool{}
	queue := p.whole.GetRulesExact(rego.RefOf(p.cfg.Entrypoint))
	for ; len(queue) > 0; queue = queue[1:] {
		for r := queue[0]; r != nil && !out[r]; r = r.Else {
			out[r] = true
			if cut != nil && r.Ref().Equal(cut) {
				continue
			}
			queue = append(queue, p.whole.GetRulesExact(r.Ref().GroundPrefix())...)
			for d := range p.whole.Graph.Dependencies(r) {
				if rule, ok := d.(*ast.Rule); ok {
					queue = append(queue, rule)
				}
			}
		}
	}
	return out
}

// local matches the names that the compiler gives to variables of a module.
var local = regexp.MustCompile(`__local[0-9]+__`)

// withoutLocals numbers the variables of the compiler anew, in the order of a text.
func withoutLocals(text string) string {
	numbers := map[string]string{}
	return local.ReplaceAllStringFunc(text, func(name string) string {
		if numbers[name] == "" {
			numbers[name] = fmt.Sprintf("__v%d__", len(numbers))
		}
		return numbers[name]
	})
}

// withoutNotes is a rule without its metadata.
func withoutNotes(r *ast.Rule) *ast.Rule {
	if r == nil {
		return nil
	}
	bare := *r
	bare.Annotations, bare.Else = nil, withoutNotes(r.Else)
	return &bare
}

// textOf are the rules as text, in order, with the data that they read but for what is below skip.
func (p *Program) textOf(rules map[*ast.Rule]bool, skip ast.Ref) string {
	texts := map[string]bool{}
	for r := range rules {
		texts[r.Ref().String()+" "+withoutLocals(withoutNotes(r).String())] = true
		rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
			if text := p.dataText(ref, skip); text != "" {
				texts[text] = true
			}
		})
	}
	return strings.Join(slices.Sorted(maps.Keys(texts)), "\n")
}

// dataText is the data at a reference, as text.
func (p *Program) dataText(ref, skip ast.Ref) string {
	if !ref.HasPrefix(ast.DefaultRootRef) || skip != nil && ref.HasPrefix(skip) {
		return ""
	}
	var at any = p.document
	prefix := ref.GroundPrefix()
	for _, t := range prefix[1:] {
		name, _ := t.Value.(ast.String)
		object, _ := at.(map[string]any)
		if at = object[string(name)]; at == nil {
			return prefix.String() + " is absent"
		}
	}
	text, _ := json.Marshal(at)
	return prefix.String() + " = " + string(text)
}

// Answer is how the members of an allowing answer are made, besides "allow".
type Answer struct {
	// Text is equal for programs that make them alike.
	Text string
	// Uniform is set when all allowing answers are made alike, or are constants: then an answer is well formed in
	// both of two programs with equal texts, or in neither.
	Uniform bool
}

// Answer is that of the entrypoint.
func (p *Program) Answer() Answer {
	roots := p.whole.GetRulesExact(rego.RefOf(p.cfg.Entrypoint))
	heads, constant := map[string]bool{}, true
	for _, r := range roots {
		for b := r; b != nil; b = b.Else {
			own := withOwnValue(b)
			if len(allowing(own)) == 0 {
				continue
			}
			heads[p.answerOf(b)] = true
			constant = constant && ast.IsConstant(own.Head.Value.Value)
		}
	}
	return Answer{
		Text:    strings.Join(sortedKeys(heads), "\n\n"),
		Uniform: (constant || len(heads) == 1) && p.conflictsAreTold(roots),
	}
}

// conflictsAreTold reports whether the condition of the entrypoint tells where two of its rules give different values,
// which denies: see differ.
func (p *Program) conflictsAreTold(roots []*ast.Rule) bool {
	for i, r := range roots {
		for j, other := range roots {
			if i == j || r.Default || other.Default {
				continue
			}
			for a := r; a != nil; a = a.Else {
				if len(allowing(withOwnValue(a))) > 0 && !p.toldFrom(a, other) {
					return false
				}
			}
		}
	}
	return true
}

func (p *Program) toldFrom(a, chain *ast.Rule) bool {
	x := withOwnValue(a).Head.Value
	for b := chain; b != nil; b = b.Else {
		y := withOwnValue(b).Head.Value
		if !differ(x, y) && !(ast.IsConstant(x.Value) && ast.IsConstant(y.Value)) && p.answerOf(a) != p.answerOf(b) {
			return false
		}
	}
	return true
}

// withOwnValue is a branch with the object that its body gives its value, which the compiler has put there.
func withOwnValue(b *ast.Rule) *ast.Rule {
	var found *ast.Term
	for _, x := range b.Body {
		if !x.IsEquality() || x.Negated || len(x.With) > 0 {
			continue
		}
		for i := range 2 {
			_, isObject := x.Operand(1 - i).Value.(ast.Object)
			if isObject && x.Operand(i).Equal(b.Head.Value) {
				found = x.Operand(1 - i)
			}
		}
	}
	if _, isVar := b.Head.Value.Value.(ast.Var); !isVar || found == nil {
		return b
	}
	out, head := *b, *b.Head
	head.Value = found
	out.Head = &head
	return &out
}

// answerOf is the value of a branch as text: with the expressions of its body that give its variables their values,
// and the rules and data that these depend on.
func (p *Program) answerOf(b *ast.Rule) string {
	used := b.Head.Value.Vars()
	var parts ast.Body
	for again := true; again; {
		again = false
		for _, x := range b.Body {
			if slices.Contains(parts, x) || !overlapping(x, used) {
				continue
			}
			parts, again = append(parts, x), true
			used.Update(x.Vars(ast.VarVisitorParams{}))
		}
	}
	delete(used, ast.DefaultRootDocument.Value.(ast.Var))
	delete(used, ast.InputRootDocument.Value.(ast.Var))
	alone := &ast.Rule{Head: b.Head, Body: parts, Module: b.Module, Location: b.Location}
	rules := map[*ast.Rule]bool{alone: true}
	rego.VisitRefs(alone, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
		if ref.HasPrefix(ast.DefaultRootRef) {
			for r := range rego.Dependencies(p.whole, ref.GroundPrefix()) {
				rules[r] = true
			}
		}
	})
	return p.textOf(rules, nil)
}

// overlapping reports whether an expression has one of the variables, other than the documents.
func overlapping(x *ast.Expr, vars ast.VarSet) bool {
	for v := range x.Vars(ast.VarVisitorParams{}) {
		if vars.Contains(v) && v != "data" && v != "input" {
			return true
		}
	}
	return false
}
