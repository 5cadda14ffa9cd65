package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// statesProblems is the member of custom that makes each element of the value of a rule a problem of the load:
//
//	# METADATA
//	# custom: {problems: true}
//	problems contains {"message": "...", "at": ["routes", "/orders"]} if ...
//
// An element is a string, or an object with a message and, in "at", the path under data that is wrong. The rule is
// evaluated once, at load, without an input, and may take as long as the load: it may judge all data.
const statesProblems = "problems"

const codeStated = "policy_error"

// statedProblems evaluates the rules that state problems. Those for which prepare returns nil are left out.
func statedProblems(
	ctx context.Context, compiler *ast.Compiler, set *bundle.Set, cfg Config,
	prepare func(string) (*preparedRule, error),
) (bundle.Problems, error) {
	var out bundle.Problems
	done := map[string]bool{}
	for found, custom := range rego.Metadata(compiler, statesProblems) {
		path := rego.PathOf(found.Path)
		if done[path] {
			continue
		}
		done[path] = true
		loc := found.Annotations.Location
		rules := compiler.GetRulesExact(found.Path)
		if custom != true || len(rules) == 0 || len(rules[0].Head.Args) > 0 || found.Annotations.Scope == "package" ||
			!rego.RefOf(path).Equal(found.Path) {
			out = append(out, rego.ProblemAt(loc, check.CodeMetadata,
				"custom.%s of %s has no effect: write true, on a rule", statesProblems, found.Path))
			continue
		}
		e, err := prepare(path)
		if err != nil {
			return nil, err
		}
		if e == nil || judgesOthers(compiler, set, rules[0]) {
			continue // it depends on a rule with a problem, or the policies use another package of the library
		}
		value, err := e.eval(ctx, ast.NewObject(), evalOptions{time: trialTime, seed: trialSeed,
			deadline: max(cfg.Deadline, cfg.CompileTimeout)})
		if err != nil {
			out = append(out, rego.ProblemAt(rules[0].Location, codeStated, "%v", err))
			continue
		}
		out = append(out, problemsOfRule(rules[0], value, set)...)
	}
	return out, nil
}

// judgesOthers reports whether a rule is of a package of the embedded library that nothing outside refers to. Policies
// that use another package of it may have data of their own at the place that the rule judges.
func judgesOthers(compiler *ast.Compiler, set *bundle.Set, rule *ast.Rule) bool {
	embedded := map[string]bool{}
	for _, b := range set.Bundles {
		for _, f := range b.Modules {
			embedded[f.Path] = b.Embedded
		}
	}
	if !embedded[rule.Location.File] {
		return false
	}
	pkg, used := []ast.Ref{rule.Module.Package.Path}, false
	for file, module := range compiler.Modules {
		if embedded[file] {
			continue
		}
		for _, r := range module.Rules {
			ast.WalkRefs(r, func(ref ast.Ref) bool {
				used = used || ref.HasPrefix(ast.DefaultRootRef) && check.MayOverlap(pkg, ref)
				return used
			})
		}
	}
	return !used
}

// problemsOfRule are the problems that the value of a rule states.
func problemsOfRule(rule *ast.Rule, value ast.Value, set *bundle.Set) bundle.Problems {
	if value == nil {
		return nil // undefined: nothing is wrong
	}
	terms, err := term.List(value)
	if err != nil {
		p := rego.ProblemAt(rule.Location, codeStated, "%s, which tells problems, %v", rule.Ref(), err)
		return bundle.Problems{p}
	}
	var out bundle.Problems
	for _, t := range terms {
		message, at, err := parseStatedProblem(t.Value)
		if err != nil {
			out = append(out, rego.ProblemAt(rule.Location, codeStated, "a problem of %s %v", rule.Ref(), err))
			continue
		}
		p := rego.ProblemAt(rule.Location, codeStated, "%s", strings.ReplaceAll(message, "\n", " "))
		if file, row, col := set.Locate(at); file != "" {
			p.File, p.Row, p.Col = file, row, col
		}
		out = append(out, p)
	}
	return out
}

// parseStatedProblem reads one element of that value.
func parseStatedProblem(v ast.Value) (message string, at []string, err error) {
	o, ok := v.(ast.Object)
	if !ok {
		message, err = term.Text(v)
		return message, nil, err
	}
	m, path := term.Member(o, "message"), term.Member(o, "at")
	if m == nil {
		return "", nil, fmt.Errorf("has no message")
	}
	if message, err = term.Text(m); err != nil || path == nil {
		return message, nil, err
	}
	terms, err := term.List(path)
	for _, t := range terms {
		name, ok := t.Value.(ast.String)
		if !ok {
			break // an index: the location is that of the array
		}
		at = append(at, string(name))
	}
	return message, at, err
}
