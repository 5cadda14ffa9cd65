package meaning

import (
	"net/url"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// builtin adds a call of a builtin, and the hosts that it may reach.
func (r *reader) builtin(name string, args []*ast.Term) {
	at := Place{Rule: pathOf(r.scope.rule), File: r.at.File, Row: r.at.Row}
	b := ast.BuiltinMap[name]
	if b == nil || b.Infix != "" || strings.HasPrefix(name, "internal.") {
		return
	}
	r.builtins.add(name, nil, at)
	switch name {
	case ast.HTTPSend.Name:
		r.request(args, at)
	case ast.NetLookupIPAddr.Name:
		for _, host := range r.texts(r.scope, args[0], maxDepth) {
			r.hosts.add(host.text(), nil, at)
		}
	}
}

// builtinIn adds a builtin that a "with" puts in the place of a function.
func (r *reader) builtinIn(t *ast.Term) {
	if ref, ok := t.Value.(ast.Ref); ok && ast.BuiltinMap[ref.String()] != nil {
		r.builtin(ref.String(), []*ast.Term{ast.VarTerm("_")})
	}
}

// request adds the hosts of a call of http.send.
func (r *reader) request(args []*ast.Term, at Place) {
	for _, t := range r.standing(r.scope, args[0], maxDepth) {
		object, ok := t.term.Value.(ast.Object)
		if !ok {
			r.hosts.add(Any, nil, at)
			continue
		}
		address := object.Get(ast.StringTerm("url"))
		if address == nil {
			r.hosts.add(Any, nil, at)
			continue
		}
		for _, text := range r.texts(t.from, address, maxDepth) {
			r.hosts.add(text.host(), nil, at)
		}
		if follow := object.Get(ast.StringTerm("enable_redirect")); follow != nil &&
			!follow.Equal(ast.BooleanTerm(false)) {
			r.hosts.add(Any, nil, at) // wherever the server sends it
		}
	}
}

// placed is a term, and the rule that it is in.
type placed struct {
	from *scope
	term *ast.Term
}

// standing are the terms that a term stands for: itself, unless it is a variable.
func (a *analysis) standing(s *scope, t *ast.Term, depth int) []placed {
	v, ok := t.Value.(ast.Var)
	if !ok || depth == 0 {
		return []placed{{s, t}}
	}
	var out []placed
	a.eachTerm(s, v, func(from *scope, bound *ast.Term) {
		if len(out) < maxPaths {
			out = append(out, a.standing(from, bound, depth-1)...)
		}
	})
	if out == nil {
		return []placed{{s, t}}
	}
	return out
}

// text is a text that is known whole, or the beginning of one.
type text struct {
	known string
	whole bool
}

func (t text) text() string {
	if t.whole {
		return t.known
	}
	return Any
}

// host is the host of a URL, with its port, or Any where that is not known.
func (t text) host() string {
	scheme, rest, ok := strings.Cut(t.known, "://")
	end := strings.IndexAny(rest, "/?#")
	if !ok || end < 0 && !t.whole || strings.ContainsAny(scheme, "/?#") {
		return Any
	}
	u, err := url.Parse(scheme + "://" + rest[:max(end, 0)])
	if end < 0 {
		u, err = url.Parse(t.known)
	}
	if err != nil || u.Host == "" {
		return Any
	}
	return strings.ToLower(u.Host)
}

// texts are what a term may be as a text; one that is unknown where nothing is known.
func (a *analysis) texts(s *scope, t *ast.Term, depth int) []text {
	var out []text
	for _, p := range a.standing(s, t, depth) {
		switch v := p.term.Value.(type) {
		case ast.String:
			out = append(out, text{string(v), true})
		case ast.Ref:
			out = append(out, a.textsAt(v, depth)...)
		case ast.Var:
			out = append(out, a.made(p.from, v, depth))
		default:
			out = append(out, text{})
		}
	}
	return out
}

// textsAt are the texts at a reference: in the data, or the values of rules.
func (a *analysis) textsAt(ref ast.Ref, depth int) []text {
	unknown := []text{{}}
	if !ref.HasPrefix(ast.DefaultRootRef) || !ref.IsGround() || depth == 0 {
		return unknown
	}
	rules := a.compiler.GetRulesExact(ref)
	var out []text
	for _, rule := range rules {
		for ; rule != nil; rule = rule.Else {
			if s := a.scopeOf(rule); s != nil && rule.Head.Value != nil {
				out = append(out, a.texts(s, rule.Head.Value, depth-1)...)
			}
		}
	}
	if len(rules) > 0 {
		return out
	}
	var value any = a.document
	for _, name := range namesIn(ref) {
		members, ok := value.(map[string]any)
		if !ok {
			return unknown
		}
		value = members[name]
	}
	if known, ok := value.(string); ok {
		return []text{{known, true}}
	}
	return unknown
}

func (a *analysis) scopeOf(rule *ast.Rule) *scope {
	for _, s := range a.scopes {
		if s.rule == rule {
			return s
		}
	}
	return nil
}

// made is the text that a call puts into a variable, as far as it is known: sprintf, concat and templates.
func (a *analysis) made(s *scope, v ast.Var, depth int) (out text) {
	rego.VisitCalls(s.rule, func(name ast.Ref, args []*ast.Term, _ *ast.Location) {
		if len(args) < 2 || !args[len(args)-1].Equal(ast.NewTerm(v)) || depth == 0 {
			return
		}
		switch name.String() {
		case ast.Sprintf.Name:
			for _, format := range a.texts(s, args[0], depth-1) {
				out.known, _, _ = strings.Cut(format.known, "%")
			}
		case ast.Concat.Name:
			out = a.joined(s, args[0], args[1], depth)
		case ast.InternalTemplateString.Name:
			out = a.joined(s, ast.StringTerm(""), args[0], depth)
		}
	})
	return out
}

// joined is the beginning of the parts of an array with a separator between them.
func (a *analysis) joined(s *scope, separator, parts *ast.Term, depth int) (out text) {
	between := a.texts(s, separator, depth-1)
	list := a.standing(s, parts, depth-1)
	array, ok := list[0].term.Value.(*ast.Array)
	if !ok || len(list) != 1 || len(between) != 1 || !between[0].whole {
		return text{}
	}
	for i := range array.Len() {
		next := a.texts(list[0].from, array.Elem(i), depth-1)
		if len(next) != 1 || !next[0].whole {
			return out
		}
		if i > 0 {
			out.known += between[0].known
		}
		out.known += next[0].known
	}
	out.whole = true
	return out
}
