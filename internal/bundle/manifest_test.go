package bundle

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

var orders = sources{bundles: []string{"bundles/orders"}}

// ordersWith are the files of a bundle with a manifest.
func ordersWith(manifest string) map[string]string {
	return map[string]string{"bundles/orders/.manifest": manifest, "bundles/orders/orders/a.rego": "package orders\n"}
}

func TestManifest_SaysWhatTheBundleIs(t *testing.T) {
	files := ordersWith(`{"revision": "r7", "roots": ["/orders/", "shared/x"], "rego_version": 0,
		"metadata": {"team": ["a", 1]}}`)
	b := built(t, orders, files).Bundles[0]
	want := Bundle{
		Name: "bundles/orders", Revision: "r7", Roots: []string{"orders", "shared/x"},
		Metadata:    map[string]any{"team": []any{"a", json.Number("1")}},
		RegoVersion: 0,
		Modules:     []File{{Path: "bundles/orders/orders/a.rego", Raw: []byte("package orders\n")}},
	}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("got %#v", b)
	}
}

func TestManifest_WithoutMembersOwnsEverything(t *testing.T) {
	b := built(t, orders, ordersWith("{}")).Bundles[0]
	if !slices.Equal(b.Roots, []string{""}) || b.RegoVersion != 1 || b.Revision != "" || b.Metadata != nil {
		t.Errorf("got %#v", b)
	}
}

func TestManifest_WithoutAnyRootOwnsNothing(t *testing.T) {
	b := built(t, orders, ordersWith(`{"roots": []}`)).Bundles[0]
	if b.Roots == nil || len(b.Roots) != 0 {
		t.Errorf("roots: %#v", b.Roots)
	}
}

func TestManifest_ChangesTheDigest(t *testing.T) {
	a := built(t, orders, ordersWith(`{"roots": ["orders"]}`)).Digest
	b := built(t, orders, ordersWith(`{"roots": [ "orders"]}`)).Digest
	if a == b {
		t.Error("the digests are equal")
	}
}

func TestManifest_ProblemsHaveAPosition(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown member": {"{\n \"reversion\": \"1\"}", `2:2: manifest_error: member "reversion" is not known: ` +
			"a manifest has revision, roots, rego_version and metadata"},
		"duplicate member": {`{"roots": [], "roots": []}`, `1:15: manifest_error: duplicate member "roots"`},
		"revision":         {`{"revision": 1}`, `1:2: manifest_error: member "revision" must be a string`},
		"metadata":         {`{"metadata": []}`, `1:2: manifest_error: member "metadata" must be an object`},
		"rego version":     {`{"rego_version": 3}`, `1:2: manifest_error: member "rego_version" must be 0, 1 or 2`},
		"roots":            {`{"roots": "a"}`, `1:2: manifest_error: member "roots" must be an array of strings`},
		"root":             {`{"roots": [null]}`, `1:2: manifest_error: member "roots" must be an array of strings`},
		"null roots":       {`{"roots": null}`, `1:2: manifest_error: member "roots" must be an array of strings`},
		"empty element": {`{"roots": ["a//b"]}`,
			`1:2: manifest_error: member "roots" must not have empty elements, as "a//b" has`},
		"overlap": {`{"roots": ["a/b", "a"]}`,
			`1:2: manifest_error: member "roots" must not overlap, as "a" does with "a/b"`},
		"wasm": {`{"wasm": []}`, `1:2: manifest_error: member "wasm" is not supported`},
		"file versions": {`{"file_rego_versions": {}}`,
			`1:2: manifest_error: member "file_rego_versions" is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, orders, ordersWith(c.text), "bundles/orders/.manifest:"+c.want)
		})
	}
	refused(t, orders, ordersWith("[]"), "bundles/orders/.manifest: manifest_error: the manifest must be an object")
}

func TestManifest_ThatIsWrongIsNoProblemOfTheData(t *testing.T) {
	files := ordersWith("{")
	files["bundles/orders/data.json"] = `{"x": 1}`
	refused(t, orders, files, "bundles/orders/.manifest:1:2: manifest_error: the file ends too early")
}

func TestRoots_BundlesMustNotOverlap(t *testing.T) {
	refused(t, sources{bundles: []string{"a", "b", "c"}}, map[string]string{
		"a/.manifest": `{"roots": ["x/y"]}`, "a/a.rego": rego,
		"b/.manifest": `{"roots": ["x", "z"]}`, "b/b.rego": rego,
		"c/.manifest": `{"roots": ["xy"]}`, "c/c.rego": rego,
	}, `b/.manifest: roots_error: root "x" overlaps root "x/y" of bundle a`)
}

func TestRoots_DataOfABundleStaysInside(t *testing.T) {
	refused(t, sources{bundles: []string{"a"}}, map[string]string{
		"a/.manifest":      `{"roots": ["x/y", "z"]}`,
		"a/a.rego":         rego,
		"a/data.json":      "{\"x\": {\"y\": 1,\n \"w\": 2}, \"z\": 3}",
		"a/other/data.yml": "k: 1",
	},
		`a/data.json:2:2: roots_error: data.x.w is outside the roots of its bundle: "x/y", "z"`,
		`a/other/data.yml: roots_error: data.other is outside the roots of its bundle: "x/y", "z"`)
}

func TestRoots_BundleThatOwnsNothingHasNoData(t *testing.T) {
	files := map[string]string{"a/.manifest": `{"roots": []}`, "a/a.rego": rego, "a/data.json": `{"x": 1}`}
	refused(t, sources{bundles: []string{"a"}}, files,
		"a/data.json:1:2: roots_error: data.x is outside the roots of its bundle: none")
}

func TestRoots_PlainDataStaysOutsideTheRootsOfBundles(t *testing.T) {
	refused(t, sources{plain: []string{"policies"}, bundles: []string{"a"}}, map[string]string{
		"policies/a.rego":    rego,
		"policies/data.yaml": "free: 1\nx:\n  w: 1\n  y:\n    z: 1\nroot: 1\n",
		"a/.manifest":        `{"roots": ["x/y", "root/below"]}`,
		"a/a.rego":           rego,
	},
		`policies/data.yaml:4:3: roots_error: data.x.y belongs to bundle a, whose roots are "x/y", "root/below"`,
		`policies/data.yaml:6:1: roots_error: data.root belongs to bundle a, whose roots are "x/y", "root/below"`)
}

func TestRoots_NoOtherDataBesideABundleThatOwnsEverything(t *testing.T) {
	files := map[string]string{
		"policies/a.rego": rego, "policies/data.yaml": "x: 1", "a/.manifest": "{}", "a/a.rego": rego,
	}
	refused(t, sources{plain: []string{"policies"}, bundles: []string{"a"}}, files,
		`policies/data.yaml:1:1: roots_error: data.x belongs to bundle a, whose roots are ""`)
}

func TestRootsOverlap_IsByElement(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true}, {"a", "a/b", true}, {"a/b", "a", true}, {"", "a", true}, {"a", "", true},
		{"a", "ab", false}, {"a/b", "a/c", false}, {"/a/", "a/b", true},
	} {
		if got := RootsOverlap(c.a, c.b); got != c.want {
			t.Errorf("RootsOverlap(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestUnderRoot_IsByElement(t *testing.T) {
	for _, c := range []struct {
		roots, path []string
		want        bool
	}{
		{[]string{"a/b"}, []string{"a", "b"}, true},
		{[]string{"x", "a/b"}, []string{"a", "b", "c"}, true},
		{[]string{"a/b"}, []string{"a"}, false},
		{[]string{"a/b"}, []string{"a/b"}, false},
		{[]string{""}, nil, true},
		{nil, []string{"a"}, false},
	} {
		if got := UnderRoot(c.roots, c.path); got != c.want {
			t.Errorf("UnderRoot(%q, %q) = %v", c.roots, c.path, got)
		}
	}
}
