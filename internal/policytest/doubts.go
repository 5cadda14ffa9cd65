package policytest

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
)

// doubts are what makes the selected tests prove less than they seem to.
func (t *regoTests) doubts(sel selection) bundle.Problems {
	return slices.Concat(t.misfits(sel), t.undefinedIn(sel)).Sorted()
}

// findUndefined keeps the references of tests to data that nothing provides: a test of "not data.authz.decison" passes
// whatever the policies say. The target of a "with" may be what no rule reads, as several tests share their data.
func (t *regoTests) findUndefined(set *bundle.Set) {
	type place struct {
		file     string
		row, col int
	}
	targets := map[place]bool{}
	for file := range t.files {
		ast.WalkWiths(t.modules[file], func(w *ast.With) bool {
			targets[place{file, w.Target.Location.Row, w.Target.Location.Col}] = true
			return false
		})
	}
	for _, p := range check.New(t.compiler).Undefined(set) {
		ofData := strings.HasPrefix(p.Message, "undefined ref: data.") ||
			strings.Contains(p.Message, ", which is data.")
		if t.files[p.File] && ofData && !targets[place{p.File, p.Row, p.Col}] {
			t.undefined = append(t.undefined, p)
		}
	}
}

// undefinedIn are those in the rules that sel selects.
func (t *regoTests) undefinedIn(sel selection) bundle.Problems {
	return slices.DeleteFunc(slices.Clone(t.undefined), func(p bundle.Problem) bool {
		ref := t.testAt(p)
		return !sel.all() && (ref == nil || !sel.takes(p.File, t.modules[p.File].Package.Path.String(), ref.String()))
	})
}

// testAt is the test in which a problem is, or nil.
func (t *regoTests) testAt(p bundle.Problem) ast.Ref {
	var around *ast.Rule
	for _, rule := range t.modules[p.File].Rules {
		if rule.Location.Row <= p.Row {
			around = rule
		}
	}
	if around == nil {
		return nil
	}
	return testRef(around)
}
