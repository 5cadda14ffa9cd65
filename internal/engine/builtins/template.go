package builtins

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxRendered is how many bytes strings.render_template, and each function within a template, may make.
const maxRendered = 1 << 20

var errRendered = fmt.Errorf("makes more than %d bytes, the limit", maxRendered)

// renderTemplate is strings.render_template with a bounded result: loops of a template multiply its text. What OPA
// refuses is left to OPA's implementation.
func renderTemplate(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	text, ok := operands[0].Value.(ast.String)
	var values map[string]any
	tmpl, err := template.New("template").Funcs(boundedFuncs()).Parse(string(text))
	if !ok || err != nil || ast.As(operands[1].Value, &values) != nil {
		return topdown.GetBuiltin(ast.RenderTemplate.Name)(bctx, operands, iter)
	}
	out := &boundedBuffer{cancel: bctx.Cancel}
	switch err := tmpl.Execute(out, values); {
	case errors.Is(err, errRendered):
		return halt(&limitError{ast.RenderTemplate.Name, errRendered.Error()}, bctx.Location)
	case err != nil:
		message := ast.RenderTemplate.Name + ": " + err.Error()
		return &topdown.Error{Code: topdown.BuiltinErr, Message: message, Location: bctx.Location}
	}
	return iter(ast.StringTerm(strings.ReplaceAll(out.String(), "<no value>", "<undefined>")))
}

// boundedBuffer takes up to maxRendered bytes, and none when the evaluation is over.
type boundedBuffer struct {
	bytes.Buffer
	cancel topdown.Cancel
}

func (r *boundedBuffer) Write(p []byte) (int, error) {
	if r.Len()+len(p) > maxRendered || r.cancel != nil && r.cancel.Cancelled() {
		return 0, errRendered
	}
	return r.Buffer.Write(p)
}

// boundedFuncs are the functions of templates that make text, with bounded results.
func boundedFuncs() template.FuncMap {
	short := func(s string) (string, error) {
		if len(s) > maxRendered {
			return "", errRendered
		}
		return s, nil
	}
	return template.FuncMap{
		"print":    func(args ...any) (string, error) { return short(fmt.Sprint(args...)) },
		"println":  func(args ...any) (string, error) { return short(fmt.Sprintln(args...)) },
		"printf":   func(format string, args ...any) (string, error) { return short(fmt.Sprintf(format, args...)) },
		"html":     func(args ...any) (string, error) { return short(template.HTMLEscaper(args...)) },
		"js":       func(args ...any) (string, error) { return short(template.JSEscaper(args...)) },
		"urlquery": func(args ...any) (string, error) { return short(template.URLQueryEscaper(args...)) },
	}
}
