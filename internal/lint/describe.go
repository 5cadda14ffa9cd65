package lint

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

const (
	// maxText bounds the texts of a document, maxDepth the nesting of its terms, maxItems the elements of one.
	maxText  = 160
	maxDepth = 4
	maxItems = 64
	// maxBefore bounds how many expressions a guard may stand before.
	maxBefore = 64
)

// describe is the term for rules of the pack.
func (p *program) describe(t *ast.Term) term { return p.describeWithin(t, maxDepth) }

func (p *program) describeWithin(t *ast.Term, depth int) term {
	out := term{Text: p.text(t), Place: placeOf(t.Location)}
	meant := p.behind(t)
	if v, ok := t.Value.(ast.Var); ok && meant != t {
		out.Renamed, out.Uses = true, p.uses[v]
		if !p.takesAnyMember(meant) {
			out.Uses = 0
		}
	}
	out.Kind = kindOf(meant)
	if ast.IsConstant(meant.Value) {
		out.Constant = true
		out.Value = jsonOf(meant.Value)
	}
	if out.Path = p.path(meant); out.Path != nil {
		out.Optional, out.Ref = p.optional(out.Path), textOfPath(out.Path)
	}
	if depth == 0 {
		return out
	}
	switch v := meant.Value.(type) {
	case ast.Call:
		out.Name = v[0].Value.String()
		out.Defaulted = out.Path != nil
		for _, arg := range v[1:] {
			out.Items = append(out.Items, p.describeWithin(arg, depth-1))
		}
	case *ast.Array:
		for i := range min(v.Len(), maxItems) {
			out.Items = append(out.Items, p.describeWithin(v.Elem(i), depth-1))
		}
	case ast.Set:
		for _, e := range v.Slice()[:min(v.Len(), maxItems)] {
			out.Items = append(out.Items, p.describeWithin(e, depth-1))
		}
	case ast.Object:
		for _, key := range v.Keys()[:min(v.Len(), maxItems)] {
			name, _ := key.Value.(ast.String)
			out.Keys = append(out.Keys, string(name))
			out.Items = append(out.Items, p.describeWithin(v.Get(key), depth-1))
		}
	}
	return out
}

// takesAnyMember reports whether a term is a reference whose last element is no variable of the author.
func (p *program) takesAnyMember(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	if !ok || len(ref) < 2 {
		return false
	}
	v, ok := ref[len(ref)-1].Value.(ast.Var)
	name, named := p.written[v]
	return ok && (!named || name.IsGenerated())
}

// kindOf names the kind of a term.
func kindOf(t *ast.Term) string {
	switch t.Value.(type) {
	case ast.Ref:
		return "ref"
	case ast.Var:
		return "var"
	case ast.Call:
		return "call"
	case *ast.TemplateString:
		return "text"
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
		return "comprehension"
	}
	return ast.ValueName(t.Value)
}

// jsonOf is a constant as JSON. Sets are arrays; a value that is too large is left out.
func jsonOf(v ast.Value) json.RawMessage {
	if collection, ok := v.(interface{ Len() int }); ok && collection.Len() > maxItems {
		return nil
	}
	value, err := ast.JSON(v)
	if err != nil {
		return nil
	}
	b, err := json.Marshal(value)
	if err != nil || len(b) > 4*maxText {
		return nil
	}
	return b
}

func placeOf(at *ast.Location) place {
	if at == nil {
		return place{}
	}
	return place{at.Row, max(1, at.Col)}
}

var generated = regexp.MustCompile(`__local\d+__`)

// text is a term or an expression with the author's names, in one line.
func (p *program) text(x interface{ String() string }) string {
	if t, ok := x.(*ast.Term); ok {
		x = t.Value
		if c, ok := x.(interface{ Len() int }); ok && c.Len() > maxItems {
			return "..."
		}
	}
	return p.authored(x.String())
}

// callText is a call with the author's names, and with the operator between its operands.
func (p *program) callText(call []*ast.Term) string {
	if b := ast.BuiltinMap[call[0].Value.String()]; b != nil && b.Infix != "" && len(call) == 3 {
		return p.text(call[1]) + " " + b.Infix + " " + p.text(call[2])
	}
	return p.text(ast.Call(call))
}

// authored is a text with the author's names of variables, in one line, cut.
func (p *program) authored(text string) string {
	if strings.Contains(text, "__local") {
		text = generated.ReplaceAllStringFunc(text, func(name string) string {
			if written, ok := p.written[ast.Var(name)]; ok {
				return string(written)
			}
			return anyMember
		})
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxText {
		return string(runes[:maxText]) + "..."
	}
	return text
}

// inputPaths are the paths under input in x, sorted.
func (p *program) inputPaths(x any) []string {
	paths := []string{}
	ast.NewGenericVisitor(func(x any) bool {
		t, ok := x.(*ast.Term)
		if !ok {
			return false
		}
		switch t.Value.(type) {
		case ast.Ref, ast.Var, ast.Call:
			if path := p.path(t); path != nil && path[0] == "input" {
				paths = append(paths, textOfPath(path))
			}
		}
		return false
	}).Walk(x)
	slices.Sort(paths)
	return slices.Compact(paths)
}

// literal is the text of a constant that is one, or empty.
func (t term) literal() string {
	var text string
	if err := json.Unmarshal(t.Value, &text); err != nil {
		return ""
	}
	return text
}
