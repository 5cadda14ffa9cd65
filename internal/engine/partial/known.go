package partial

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Rules that depend on the method and the path of a request alone, such as the look-up of its route, need no partial
// evaluation: they are evaluated as usual, and their values are put in their places. Partial evaluation would look
// into all rules below them at each reference.

// knownMember is the member of the input that has the values of such rules, by their paths.
const knownMember = "sidecar: known"

// fixed are the members of input.request that are known where any are.
var fixed = []string{"method", "path", "raw_path", "segments"}

// fixedRules are the paths of the rules that depend on the method and the path alone, and that other rules refer to.
func fixedRules(c *ast.Compiler) (out []ast.Ref) {
	f := &fixedness{compiler: c, known: map[*ast.Rule]bool{}, visiting: map[*ast.Rule]bool{}}
	paths := map[string]ast.Ref{}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			if readsWholeInput(r) {
				return nil // it would see the values
			}
			if f.path(r.Ref()) {
				paths[r.Ref().String()] = r.Ref()
			}
		}
	}
	used := map[string]bool{}
	for _, m := range c.Modules {
		for _, root := range m.Rules {
			for r := root; r != nil && paths[root.Ref().String()] == nil; r = r.Else {
				for d := range c.Graph.Dependencies(r) {
					if rule, ok := d.(*ast.Rule); ok && paths[rule.Ref().String()] != nil {
						used[rule.Ref().String()] = true
					}
				}
			}
		}
	}
	for _, path := range sortedKeys(used) {
		out = append(out, paths[path])
	}
	return out
}

func readsWholeInput(root *ast.Rule) bool {
	found := false
	for r := root; r != nil; r = r.Else {
		rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
			found = found || ref.HasPrefix(ast.InputRootRef) && (len(ref) == 1 || !ast.IsConstant(ref[1].Value))
		})
	}
	return found
}

type fixedness struct {
	compiler *ast.Compiler
	known    map[*ast.Rule]bool
	visiting map[*ast.Rule]bool
}

// path reports whether the rules at a path make one value of the method and the path.
func (f *fixedness) path(ref ast.Ref) bool {
	if !ref.IsGround() {
		return false
	}
	rules := f.compiler.GetRulesExact(ref)
	for _, r := range rules {
		if len(r.Head.Args) > 0 || r.Head.RuleKind() == ast.MultiValue || r.Head.Key != nil ||
			len(r.Head.Ref()) != 1 ||
			!f.rule(r) {
			return false
		}
	}
	return len(rules) > 0 && f.readsRequest(rules)
}

// readsRequest reports whether one of rules depends on the request at all: constants are no trouble.
func (f *fixedness) readsRequest(rules []*ast.Rule) bool {
	seen := map[*ast.Rule]bool{}
	for queue := slices.Clone(rules); len(queue) > 0; queue = queue[1:] {
		for r := queue[0]; r != nil && !seen[r]; r = r.Else {
			seen[r] = true
			found := false
			rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
				found = found || ref.HasPrefix(ast.InputRootRef)
			})
			if found {
				return true
			}
			for d := range f.compiler.Graph.Dependencies(r) {
				if rule, ok := d.(*ast.Rule); ok {
					queue = append(queue, rule)
				}
			}
		}
	}
	return false
}

func (f *fixedness) rule(root *ast.Rule) bool {
	if known, ok := f.known[root]; ok {
		return known
	}
	if f.visiting[root] {
		return false
	}
	f.visiting[root] = true
	good := true
	for r := root; r != nil && good; r = r.Else {
		good = !callsNondeterministic(r.Body) && len(rego.WithTargets(r.Body, ast.InputRootRef)) == 0 &&
			len(rego.WithTargets(r.Body, ast.DefaultRootRef)) == 0
		rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
			good = good && (!ref.HasPrefix(ast.InputRootRef) || isFixed(ref))
		})
		for d := range f.compiler.Graph.Dependencies(r) {
			if rule, ok := d.(*ast.Rule); ok && good {
				good = f.rule(rule)
			}
		}
	}
	f.known[root] = good
	return good
}

func isFixed(ref ast.Ref) bool {
	return slices.ContainsFunc(fixed, func(name string) bool { return ref.HasPrefix(inputRef("request", name)) })
}

// withKnown are modules with references to the known values in place of the rules at paths.
func withKnown(modules map[string]*ast.Module, paths []ast.Ref) map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for name, m := range modules {
		c := m.Copy()
		rules := c.Rules
		c.Rules = nil
		done := map[string]bool{}
		for _, r := range rules {
			path := m.Package.Path.Extend(r.Head.Ref())
			if !slices.ContainsFunc(paths, func(p ast.Ref) bool { return p.Equal(path) }) {
				c.Rules = append(c.Rules, r)
				continue
			}
			if done[path.String()] {
				continue
			}
			done[path.String()] = true
			head := ast.NewHead(r.Head.Name)
			head.Value, head.Assign, head.Location = knownValue(path), true, r.Location
			body := ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
			c.Rules = append(c.Rules, &ast.Rule{Head: head, Body: body, Location: r.Location, Module: c})
		}
		out[name] = c
	}
	return out
}

func knownValue(path ast.Ref) *ast.Term {
	return ast.RefTerm(ast.InputRootDocument, ast.StringTerm(knownMember), ast.StringTerm(path.String()))
}

// knownInput is an input with the values of the fixed rules; ok is false where one has none for certain.
func (p *Program) knownInput(ctx context.Context, in ast.Value, r Request) (out ast.Value, ok bool) {
	object, isObject := in.(ast.Object)
	if len(p.fixed) == 0 || !isObject || !knowsRequest(r) {
		return in, false
	}
	txn, err := p.store.NewTransaction(ctx)
	if err != nil {
		return in, false
	}
	defer p.store.Abort(ctx, txn)
	values := ast.NewObject()
	for _, path := range p.fixed {
		value, ok := p.valueOf(ctx, txn, path, in)
		if !ok {
			return in, false
		}
		if value != nil {
			values.Insert(ast.StringTerm(path.String()), ast.NewTerm(value))
		}
	}
	return object.Merge(ast.NewObject([2]*ast.Term{ast.StringTerm(knownMember), ast.NewTerm(values)}))
}

// RouteText is the route that a request takes, as text; empty where there is none. ok is false where that cannot be
// told.
func (p *Program) RouteText(ctx context.Context, known []byte) (text string, ok bool) {
	in, err := term.ParseJSON(known)
	if err != nil {
		return "", false
	}
	txn, err := p.store.NewTransaction(ctx)
	if err != nil {
		return "", false
	}
	defer p.store.Abort(ctx, txn)
	value, ok := p.valueOf(ctx, txn, rego.RefOf("sidecar/routes/route"), in.Value)
	if value == nil {
		return "", ok
	}
	return value.String(), ok
}

// valueOf is the value of a rule, with its sets; nil where it is undefined. ok is false where it fails.
func (p *Program) valueOf(ctx context.Context, txn storage.Transaction, path ast.Ref, in ast.Value) (ast.Value, bool) {
	const name = ast.Var("x")
	compiler := p.whole.QueryCompiler()
	query, err := compiler.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(name), ast.NewTerm(path))))
	if err != nil {
		return nil, false
	}
	var failed []topdown.Error
	results, err := topdown.NewQuery(query).WithQueryCompiler(compiler).WithCompiler(p.whole).WithStore(p.store).
		WithTransaction(txn).WithInput(ast.NewTerm(in)).WithTime(p.cfg.Now).WithBuiltinErrorList(&failed).Run(ctx)
	if err != nil || len(failed) > 0 || len(results) > 1 {
		return nil, false
	}
	if len(results) == 0 {
		return nil, true
	}
	return results[0][name].Value, true
}

// knowsRequest reports whether the method and the path are known.
func knowsRequest(r Request) bool {
	for _, path := range r.Unknown {
		if len(path) < 2 && (len(path) == 0 || path[0] == "request") ||
			len(path) >= 2 && path[0] == "request" && slices.Contains(fixed, path[1]) {
			return false
		}
	}
	var known struct {
		Request map[string]json.RawMessage `json:"request"`
	}
	return json.Unmarshal(r.Known, &known) == nil && known.Request != nil
}
