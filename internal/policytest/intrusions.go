package policytest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// intrusions are the rules of test files that change what other files mean while tests run: a further body of a rule
// of the policies, or data that they read. Such policies would pass tests that those that are served, without their
// test files, fail. Test files of bundles may not change those in dirs either: an operator's tests are not their
// author's.
func (t *regoTests) intrusions(set *bundle.Set, dirs []string) (out bundle.Problems) {
	policies, own := refs{}, refs{}
	isOwn := func(b bundle.Bundle) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return filepath.ToSlash(filepath.Clean(d)) == b.Name })
	}
	for _, b := range set.Bundles {
		if isOwn(b) {
			t.define(own, slices.Concat(b.Modules, b.Tests))
		} else {
			t.define(policies, b.Modules)
			t.read(policies, b.Modules)
		}
	}
	for _, b := range set.Bundles {
		for _, f := range b.Tests {
			out = append(out, t.intruding(f, policies, "the policies define or read")...)
			if b.Roots != nil && !isOwn(b) {
				out = append(out, t.intruding(f, own, "tests of another directory define")...)
			}
		}
	}
	return out
}

// refs are paths below data, by their text.
type refs map[string]ast.Ref

func (t *regoTests) define(all refs, files []bundle.File) {
	for _, f := range files {
		for _, rule := range t.compiler.Modules[f.Path].Rules {
			ref := rule.Ref().GroundPrefix()
			all[ref.String()] = ref
		}
	}
}

func (t *regoTests) read(all refs, files []bundle.File) {
	for _, f := range files {
		for _, rule := range t.compiler.Modules[f.Path].Rules {
			ast.WalkRefs(rule, func(ref ast.Ref) bool {
				if ref.HasPrefix(ast.DefaultRootRef) {
					ref = ref.GroundPrefix()
					all[ref.String()] = ref
				}
				return false
			})
		}
	}
}

func (t *regoTests) intruding(f bundle.File, others refs, who string) (out bundle.Problems) {
	for _, rule := range t.compiler.Modules[f.Path].Rules {
		ref := rule.Ref().GroundPrefix()
		for other := range maps.Values(others) {
			if !other.HasPrefix(ref) && !ref.HasPrefix(other) {
				continue
			}
			out = append(out, bundle.Problem{File: f.Path, Row: rule.Location.Row, Col: rule.Location.Col,
				Code: bundle.CodeConflict, Message: fmt.Sprintf("%s %s: with this rule, tests would be "+
					"of other policies than those that are served; rename it, or set it in a test by with", who, ref)})
			break
		}
	}
	return out
}
