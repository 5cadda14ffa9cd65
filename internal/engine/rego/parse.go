// Package rego turns the modules of a set into a compiler of OPA, typed by the schema of the input, and turns OPA's
// errors into problems with hints.
package rego

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// ParserOptions are for Rego v1 with annotations.
func ParserOptions(caps *ast.Capabilities) ast.ParserOptions {
	return ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: caps}
}

// Options are the part of the configuration that compilers need.
type Options struct {
	// AllowBuiltins are the builtins that reach the network or the machine and may be called all the same.
	AllowBuiltins []string
	// Headers are the names of the request headers that policies see. nil stands for all names in lower case that hold
	// no credential.
	Headers []string
}

// Tests says whether the tests of a set are parsed too.
type Tests uint8

// The two ways to parse a set.
const (
	WithoutTests Tests = iota
	WithTests
)

// Parse returns the modules of set by their paths, for a compiler of NewCompiler. Without a problem of grammar there
// are modules, even if there are other problems. Tests may be in any package.
func Parse(set *bundle.Set, opts Options, tests Tests) (map[string]*ast.Module, bundle.Problems) {
	modules, problems, whole := ParseReadable(set, opts, tests)
	if !whole {
		return nil, problems
	}
	return modules, problems
}

// ParseReadable returns the modules that can be parsed. whole is false when some cannot; modules of Rego v0 are then
// included, for further checks only.
func ParseReadable(
	set *bundle.Set, opts Options, tests Tests,
) (readable map[string]*ast.Module, problems bundle.Problems, whole bool) {
	modules := map[string]*ast.Module{}
	var unparsed, misplaced bundle.Problems
	parser := ParserOptions(capabilities(opts))
	read := func(f bundle.File) *ast.Module {
		m, found, old := parseModule(f.Path, f.Raw, parser)
		unparsed = append(unparsed, found...)
		if m == nil {
			return nil
		}
		modules[f.Path] = m
		if old {
			return nil
		}
		return m
	}
	for i := range set.Bundles {
		b := &set.Bundles[i]
		if b.RegoVersion != 1 {
			unparsed = append(unparsed, bundle.Problem{File: b.Name, Code: bundle.CodeManifest,
				Message: fmt.Sprintf("rego_version %d is not supported, want 1", b.RegoVersion)})
			continue
		}
		for _, f := range b.Modules {
			if m := read(f); m != nil {
				misplaced = append(misplaced, rootProblems(set, b, m)...)
			}
		}
		if tests == WithTests {
			for _, f := range b.Tests {
				read(f)
			}
		}
	}
	typeLogPolicies(modules)
	return modules, append(unparsed, misplaced...), len(unparsed) == 0
}

// byteOrderMark is what some editors begin a file with. OPA's parser skips it, and then reads no metadata in the first
// row.
var byteOrderMark = []byte("\xef\xbb\xbf")

// parseModule parses one module. old says that it is one of Rego v0, which is a problem too.
func parseModule(
	path string, raw []byte, parser ast.ParserOptions,
) (m *ast.Module, problems bundle.Problems, old bool) {
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	m, err := ast.ParseModuleWithOpts(path, string(raw), parser)
	if err == nil {
		return m, nil, false
	}
	problems = ProblemsOf(path, err)
	parser.RegoVersion = ast.RegoV0
	if m, err = ast.ParseModuleWithOpts(path, string(raw), parser); err == nil && m != nil {
		return m, asRegoV0(problems), true
	}
	return nil, problems, false
}

// asRegoV0 is the one problem of a module of Rego v0, in which nearly each rule would be an error.
func asRegoV0(found bundle.Problems) bundle.Problems {
	found = found[:1]
	if !strings.Contains(found[0].Message, regoV0Hint) && !isNameOfKeyword(found[0].Message) {
		found[0].Message += regoV0Hint
	}
	return found
}
