package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// statesProblems is the member of custom that makes the value of a rule problems of the load: each element is one.
//
//	# METADATA
//	# custom: {problems: true}
//	problems contains {"message": "...", "at": ["routes", "/orders"]} if ...
//
// An element is a text, or an object with a message and, by at, the place under data that is wrong. The rule is evaluated
// once, at load, without an input.
const statesProblems = "problems"

const codeStated = "policy_error"

// stated evaluates the rules whose metadata say that they tell problems, but for those of which prepare gives no entry.
func stated(ctx context.Context, compiler *ast.Compiler, set *bundle.Set, prepare func(string) (*entry, error)) (bundle.Problems, error) {
	var out bundle.Problems
	done := map[string]bool{}
	for _, found := range compiler.GetAnnotationSet().Flatten() {
		custom, ok := found.Annotations.Custom[statesProblems]
		path := pathOf(found.Path)
		if !ok || done[path] {
			continue
		}
		done[path] = true
		loc := found.Annotations.Location
		rules := compiler.GetRulesExact(found.Path)
		if custom != true || len(rules) == 0 || len(rules[0].Head.Args) > 0 || found.Annotations.Scope == "package" || !refOf(path).Equal(found.Path) {
			out = append(out, problemAt(loc, codeMetadata, "custom.%s of %s has no effect: write true, on a rule", statesProblems, found.Path))
			continue
		}
		e, err := prepare(path)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue // it depends on what is at fault
		}
		value, err := e.eval(ctx, ast.NewObject(), run{time: probeTime, seed: probeSeed})
		if err != nil {
			out = append(out, problemAt(rules[0].Location, codeStated, "%v", err))
			continue
		}
		out = append(out, statedBy(rules[0], value, set)...)
	}
	return out, nil
}

// statedBy are the problems that a rule tells.
func statedBy(rule *ast.Rule, value ast.Value, set *bundle.Set) bundle.Problems {
	if value == nil {
		return nil // undefined: nothing is wrong
	}
	terms, err := list(value)
	if err != nil {
		return bundle.Problems{problemAt(rule.Location, codeStated, "%s, which tells problems, %v", rule.Ref(), err)}
	}
	var out bundle.Problems
	for _, t := range terms {
		message, at, err := statement(t.Value)
		if err != nil {
			out = append(out, problemAt(rule.Location, codeStated, "a problem of %s %v", rule.Ref(), err))
			continue
		}
		p := problemAt(rule.Location, codeStated, "%s", strings.ReplaceAll(message, "\n", " "))
		if file, row, col := set.Locate(at); file != "" {
			p.File, p.Row, p.Col = file, row, col
		}
		out = append(out, p)
	}
	return out
}

// statement reads one problem that a rule tells.
func statement(v ast.Value) (message string, at []string, err error) {
	o, ok := v.(ast.Object)
	if !ok {
		message, err = text(v)
		return message, nil, err
	}
	m, place := memberOf(o, "message"), memberOf(o, "at")
	if m == nil {
		return "", nil, fmt.Errorf("has no message")
	}
	if message, err = text(m); err != nil || place == nil {
		return message, nil, err
	}
	terms, err := list(place)
	for _, t := range terms {
		name, ok := t.Value.(ast.String)
		if !ok {
			break // an index of an array: the place is that of the array
		}
		at = append(at, string(name))
	}
	return message, at, err
}
