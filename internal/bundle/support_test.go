package bundle

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

const rego = "package authz\n\nallow := true\n"

// Sources of most tests.
var (
	onlyPolicies      = sources{plain: []string{"policies"}}
	policiesAndOrders = sources{plain: []string{"policies"}, bundles: []string{"orders"}}
)

// sources are names of plain directories and of bundles.
type sources struct{ plain, bundles []string }

// with returns the contents of files that are given by name. Files elsewhere belong to no source.
func (s sources) with(files map[string]string) Contents {
	var c Contents
	add := func(names []string, layout Layout) {
		for _, name := range names {
			src := Source{Name: name, Layout: layout}
			for _, file := range slices.Sorted(maps.Keys(files)) {
				rel, below := strings.CutPrefix(file, name+"/")
				if !below {
					continue
				}
				f := SourceFile{File: File{Path: file, Raw: []byte(files[file])}}
				f.Kind, _, _ = Classify(path.Base(rel))
				if dir := path.Dir(rel); dir != "." {
					f.Dirs = strings.Split(dir, "/")
				}
				src.Files = append(src.Files, f)
			}
			c.Sources = append(c.Sources, src)
		}
	}
	add(s.plain, Plain)
	add(s.bundles, Bundled)
	return c
}

func built(t *testing.T, s sources, files map[string]string) *Set {
	t.Helper()
	set, err := Build(s.with(files))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// refused builds what must not be built, and compares all problems.
func refused(t *testing.T, s sources, files map[string]string, want ...string) {
	t.Helper()
	set, err := Build(s.with(files))
	if set != nil {
		t.Error("a set was returned")
	}
	ps, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("error is %T (%v), want Problems", err, err)
	}
	if got := ps.Error(); got != strings.Join(want, "\n") {
		t.Errorf("problems:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}
