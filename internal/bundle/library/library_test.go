package library

import (
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// digests are those of each version of the library. A change of the library takes a new version, and a line here.
var digests = map[string]string{
	"1.0.0": "sha256:0312fcd6cdc7e9e7351853ff82d9abae371dff85a0e85463653f6917689535e4",
	"1.1.0": "sha256:ebd1f05d3a76a0df09e5bfb2f8c17ab30ad863635c7fa08e876aee92403bc4ed",
	"1.2.0": "sha256:487cb874f4e380e2394ecbd91d4a9245463c75b7ee7cc6fa0066b4ac0546b5e1",
	"1.2.1": "sha256:6f694ddb211d71f17e1461c1642db6bdd6a8206b6a1814c4e37cbf4c8a2a9c55",
	"1.2.2": "sha256:b55d2c443744be9a84087115a4acb1eb674c6c070327e0d91d5efe1057e722ae",
	"1.2.3": "sha256:72013674416c3730f8efea468f798a3125503d63067fb579a708c00c45f4b3ec",
	"1.2.4": "sha256:e317ddd684b2a685212ef5f2c93748ce4dab1ecb543748eca80dae2c7ddaa2f7",
}

func TestAChangedLibraryHasANewVersion(t *testing.T) {
	source := Source()
	source.Revision = ""
	got := bundle.Contents{Sources: []bundle.Source{source}}.Digest()
	if want := digests[Version]; got != want {
		t.Errorf("library %s has the digest %s, want %q: raise EmbeddedLibraryVersion of package policies, and "+
			"add the digest here",
			Version, got, want)
	}
}

// sourceOf is a plain directory "policies" of the files.
func sourceOf(files map[string]string) bundle.Contents {
	src := bundle.Source{Name: "policies"}
	for name, text := range files {
		dirs := strings.Split(name, "/")
		base := dirs[len(dirs)-1]
		kind, _, _ := bundle.Classify(base)
		src.Files = append(src.Files, bundle.SourceFile{
			File: bundle.File{Path: "policies/" + name, Raw: []byte(text)}, Kind: kind, Dirs: dirs[:len(dirs)-1],
		})
	}
	return bundle.Contents{Sources: []bundle.Source{src}}
}

func TestTheLibraryIsAddedWhereItIsReferredToAndNothingElseIsThere(t *testing.T) {
	const refers = "package authz\n\nimport data.sidecar.scopes\n\nallow if scopes.granted([\"a\"])\n"
	beside := func(name, text string) map[string]string { return map[string]string{"a.rego": refers, name: text} }
	alone := func(rule string) map[string]string { return map[string]string{"a.rego": "package a\n\n" + rule + "\n"} }
	for name, c := range map[string]struct {
		files map[string]string
		added bool
	}{
		"an import":                  {map[string]string{"a.rego": refers}, true},
		"a whole reference":          {alone("b := data.sidecar.routes.route"), true},
		"a reference in brackets":    {alone(`b := data["sidecar"].routes.route`), true},
		"a module of Rego v0":        {alone("b { data.sidecar.routes.route }"), true},
		"a test that refers":         {map[string]string{"a.rego": "package a\n", "a_test.rego": refers}, true},
		"a module that breaks off":   {map[string]string{"a.rego": refers + "allow if {\n"}, true},
		"a test in its package":      {beside("a_test.rego", "package sidecar.scopes\n"), true},
		"other data at the top":      {beside("data.json", `{"x": {"sidecar": 1}}`), true},
		"a name that only begins so": {alone("b := data.sidecars.x"), false},
		"a comment":                  {alone("# data.sidecar.routes\nb := 1"), false},
		"a variable":                 {alone("b contains data[x].y"), false},
		"nothing that refers":        {map[string]string{"a.rego": "package a\n", "routes/data.json": "{}"}, false},
		"a module of its package":    {beside("b.rego", "package sidecar.evil\n"), false},
		"a broken module of it":      {beside("b.rego", "package sidecar.evil\n\nx if {\n"), false},
		"data in a folder":           {beside("sidecar/x/data.json", "{}"), false},
		"data at the top":            {beside("data.yaml", "sidecar: {x: 1}\n"), false},
	} {
		before := sourceOf(c.files)
		after := Complete(before)
		added := slices.ContainsFunc(after.Sources, func(s bundle.Source) bool { return s.Name == Name })
		if added != c.added {
			t.Errorf("%s: added %v", name, added)
		}
		if added == (before.Digest() == after.Digest()) {
			t.Errorf("%s: the digest was %s, and is %s", name, before.Digest(), after.Digest())
		}
		if len(before.Sources) != 1 {
			t.Errorf("%s: what was given is changed", name)
		}
	}
}

func TestTheVersionOfTheLibraryIsPartOfTheDigest(t *testing.T) {
	newer := Source()
	newer.Revision = "99"
	of := func(s bundle.Source) string { return bundle.Contents{Sources: []bundle.Source{s}}.Digest() }
	if of(newer) == of(Source()) {
		t.Error("another version has the same digest")
	}
}

func TestADirectoryWithTheNameOfTheLibraryIsRefused(t *testing.T) {
	c := sourceOf(map[string]string{"a.rego": "package a\n\nb := data.sidecar.routes.route\n"})
	c.Sources[0].Name = Name
	if got := Complete(c).Problems.Error(); !strings.Contains(got, "rename the directory") {
		t.Errorf("problems: %q", got)
	}
}
