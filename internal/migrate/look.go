package migrate

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// pathKind says what a policy takes a path for.
type pathKind uint8

const (
	unknownPath pathKind = iota
	arrayPath
	textPath
)

// seen is what policies read of the input.
type seen struct {
	// paths are the members that are read, dotted, with the place of the first use.
	paths map[string]place
	// arrays and texts are the paths that are used as one.
	arrays, texts map[string]bool
	// deeper are paths below which constant members are read.
	deeper map[string]bool
	// strings are all texts in the policies.
	strings map[string]bool
	// dynamic are uses of the input as a whole, or by a variable.
	dynamic []place
	// negated are the paths and the rules that are read under a "not", or by a rule that denies.
	negated map[string]bool
	// by are the paths and rules that a rule reads.
	by   map[string]map[string]bool
	root rootUses
}

type place struct {
	file string
	row  int
}

func placeOf(m *module, loc *ast.Location) place {
	if loc == nil {
		return place{m.file, 1}
	}
	return place{m.file, loc.Row}
}

// look reads all modules.
func (s *session) look() *seen {
	out := &seen{paths: map[string]place{}, arrays: map[string]bool{}, texts: map[string]bool{},
		deeper: map[string]bool{}, strings: map[string]bool{}, negated: map[string]bool{},
		by: map[string]map[string]bool{}}
	for _, m := range s.modules {
		r := &rewriter{world: s.world}
		r.term = func(t *ast.Term, sc *scope) (*ast.Term, bool) {
			s.lookAt(out, m, t, sc)
			return t, false
		}
		r.expr = func(x *ast.Expr, sc *scope) {
			if terms, ok := x.Terms.([]*ast.Term); ok {
				s.lookAtCall(out, m, terms, sc)
			}
			if x.Negated {
				s.lookUnderNot(out, x, sc)
			}
		}
		r.with = func(wi *ast.With, _ *scope) []*ast.With {
			if ref := asRef(wi.Target); ref != nil && isInput(ref) && len(ref) > 1 {
				out.read(pathOf(ref), placeOf(m, wi.Location))
			}
			return []*ast.With{wi}
		}
		r.rule = func(m *module, rule *ast.Rule) { s.lookAtRule(out, m, rule) }
		r.module(m)
		for _, imp := range m.ast.Imports {
			if ref := asRef(imp.Path); ref != nil && isInput(ref) && len(ref) > 1 {
				out.read(pathOf(ref), placeOf(m, imp.Location))
			}
		}
	}
	out.spread()
	return out
}

func (s *seen) read(path string, at place) {
	if _, ok := s.paths[path]; !ok {
		s.paths[path] = at
	}
}

// pathOf is the constant part of a reference below the input, dotted.
func pathOf(ref ast.Ref) string {
	_, path, _ := strings.Cut(dotted(ref), ".")
	return path
}

func (s *session) lookAt(out *seen, m *module, t *ast.Term, sc *scope) {
	switch v := t.Value.(type) {
	case ast.String:
		out.strings[string(v)] = true
		return
	case ast.Call:
		s.lookAtCall(out, m, v, sc)
		return
	}
	ref := asRef(t)
	if ref == nil {
		return
	}
	to := s.resolve(ref, sc)
	if !isInput(to) {
		return
	}
	path := pathOf(to)
	if path == "" {
		out.dynamic = append(out.dynamic, placeOf(m, t.Location))
		return
	}
	s.lookAtRoot(out, to)
	out.read(path, placeOf(m, t.Location))
	parts := strings.Split(path, ".")
	for i := 1; i < len(parts); i++ {
		out.deeper[strings.Join(parts[:i], ".")] = true
	}
	// A path that goes on with a number or a variable is an array, or an object that is looked into.
	if n := len(constants(to)) + 1; n < len(to) {
		if _, text := to[n].Value.(ast.String); !text {
			out.arrays[path] = true
		}
	}
}

// constants are the texts that a reference begins with, behind its head.
func constants(ref ast.Ref) []string {
	var out []string
	for _, t := range ref[1:] {
		v, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		out = append(out, string(v))
	}
	return out
}

// textCalls are builtins whose arguments are texts.
var textCalls = []string{"startswith", "endswith", "contains", "split", "glob.match", "regex.match", "re_match",
	"trim",
	"trim_prefix", "trim_suffix", "trim_left", "trim_right", "trim_space", "lower", "upper", "replace", "indexof",
	"substring",
	"regex.split", "regex.find_n", "regex.find_all_string_submatch_n", "strings.any_prefix_match",
	"strings.any_suffix_match", "urlquery.decode", "concat"}

// lookAtCall learns from a call what its operands are.
func (s *session) lookAtCall(out *seen, m *module, call []*ast.Term, sc *scope) {
	s.lookAtRootCall(out, call, sc)
	name := call[0].String()
	for i, arg := range call[1:] {
		path := s.inputPath(arg, sc)
		if path == "" {
			continue
		}
		var other *ast.Term
		if len(call) > 2 {
			other = call[2-i%2]
		}
		switch {
		case slices.Contains(textCalls, name) && (name != "concat" || i == 0):
			out.texts[path] = true
		case name == "concat" || strings.HasPrefix(name, "array.") || name == "internal.member_2" && i == 1 ||
			name == "internal.member_3" && i == 2:
			out.arrays[path] = true
		case name == "eq" || name == "equal" || name == "assign" || name == "neq":
			out.compared(path, other)
		case name == "internal.member_2" && i == 0:
			each(other, func(e *ast.Term) { out.compared(path, e) })
		}
	}
	if name == "object.get" && len(call) > 2 {
		s.lookAtGet(out, m, call, sc)
	}
}

// compared notes that a path is compared with a term.
func (s *seen) compared(path string, with *ast.Term) {
	if with == nil {
		return
	}
	switch v := with.Value.(type) {
	case *ast.Array:
		s.arrays[path] = true
	case ast.String:
		s.texts[path] = true
	case ast.Call:
		switch v[0].String() {
		case "split", "array.concat", "array.slice":
			s.arrays[path] = true
		case "concat", "sprintf", "lower", "format_int", "trim", "trim_suffix", "trim_prefix":
			s.texts[path] = true
		}
	case *ast.ArrayComprehension:
		s.arrays[path] = true
	}
}

func each(t *ast.Term, f func(*ast.Term)) {
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(f)
	case ast.Set:
		v.Foreach(f)
	}
}

// inputPath is the path of a term that is exactly a member of the input, or "".
func (s *session) inputPath(t *ast.Term, sc *scope) string {
	ref := asRef(t)
	if ref == nil {
		return ""
	}
	to := s.resolve(ref, sc)
	if !isInput(to) || len(constants(to))+1 != len(to) {
		return ""
	}
	return pathOf(to)
}

// lookAtGet reads the path of an object.get.
func (s *session) lookAtGet(out *seen, m *module, call []*ast.Term, sc *scope) {
	ref := asRef(call[1])
	if ref == nil {
		return
	}
	to := s.resolve(ref, sc)
	if !isInput(to) || !isGround(to) {
		return
	}
	if key := pathTerms(call[2]); key != nil {
		out.read(pathOf(join(to, key)), placeOf(m, call[2].Location))
	}
}

// pathTerms are the steps that the second argument of object.get makes, where they are constants.
func pathTerms(t *ast.Term) ast.Ref {
	switch v := t.Value.(type) {
	case ast.String:
		return ast.Ref{t}
	case *ast.Array:
		var out ast.Ref
		v.Foreach(func(e *ast.Term) { out = append(out, e) })
		if len(out) > 0 && out.IsGround() {
			return out
		}
	}
	return nil
}
