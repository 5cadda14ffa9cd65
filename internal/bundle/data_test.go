package bundle

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestData_ProblemsOfJSONHaveAPosition(t *testing.T) {
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	for name, c := range map[string]struct{ text, want string }{
		"syntax":             {"{\n  \"é\": x}", "2:8: data_error: invalid character 'x' at start of value"},
		"duplicate member":   {"{\"a\": {\"b\": 1,\n \"b\": 2}}", "2:2: data_error: duplicate member \"b\""},
		"too short":          {"{\"a\": [1,\n", "1:10: data_error: the file ends too early"},
		"too long":           {"{}\n  {}", "2:3: data_error: there is something after the value"},
		"rubbish at the end": {"{}\n}", "2:1: data_error: invalid character '}' at start of value"},
		"invalid UTF-8":      {"{\"a\": \"\xff\"}", "1:8: data_error: invalid UTF-8"},
		"empty":              {" \n", "1:1: data_error: the file is empty"},
		"number too large": {"{\"a\": [1,\n  1e999999999]}",
			"2:3: data_error: is a number with an exponent, or a count of digits, over 10000"},
		"deep": {"{\"a\": " + deep + "}",
			"1:263: data_error: values are nested more than 256 levels deep"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.json": c.text},
				"policies/data.json:"+c.want)
		})
	}
}

func TestData_JSONKeepsAllTypesAndTheSpellingOfNumbers(t *testing.T) {
	got, f := decodeJSON([]byte(`{"a": [1.0, 1e400, true, false, null, "\u00e9"], "b": {}, "c": []}`))
	if f != nil {
		t.Fatalf("%+v", f)
	}
	want := map[string]any{"a": []any{json.Number("1.0"), json.Number("1e400"), true, false, nil, "é"},
		"b": map[string]any{}, "c": []any{}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestData_TopOfADirectoryMustBeAnObject(t *testing.T) {
	files := map[string]string{"policies/a.rego": rego, "policies/data.json": "[1]", "policies/list/data.json": "[1]"}
	refused(t, onlyPolicies, files,
		"policies/data.json: data_error: data at the top of a directory must be an object")
}

func TestData_TwoFilesThatWriteOnePlaceConflict(t *testing.T) {
	refused(t, sources{plain: []string{"policies", "more"}}, map[string]string{
		"policies/a.rego":            rego,
		"policies/data.json":         `{"routes": {"limits": {"get": 1}}, "x": 1}`,
		"policies/routes/data.yaml":  "limits:\n  post: 2\n  get: 3\n",
		"policies/routes/data.json":  `{"limits": "none"}`,
		"policies/routes/x/data.yml": "1",
		"more/data.yml":              "y: 1\nx: {}\n",
		"policies/x/data.json":       "2",
	},
		"more/data.yml:2:1: conflict_error: data.x is also written by policies/data.json",
		"policies/routes/data.json:1:2: conflict_error: data.routes.limits is also written by policies/data.json",
		"policies/routes/data.yaml:3:3: conflict_error: data.routes.limits.get is also written by policies/data.json",
		"policies/x/data.json: conflict_error: data.x is also written by policies/data.json")
}

func TestData_ConflictsInJSONAreLocated(t *testing.T) {
	refused(t, onlyPolicies, map[string]string{
		"policies/a.rego":      rego,
		"policies/a/data.json": `{"b": {"c\"": 1}}`,
		"policies/data.json":   "{\"x\": [\"a\"],\n \"a\": {\"z\": {}, \"b\": {\n  \"c\\\"\": 2}}}",
	}, "policies/data.json:3:3: conflict_error: data.a.b.c\" is also written by policies/a/data.json")
}

func TestDocument_IsAllDataAndLeavesTheFilesAlone(t *testing.T) {
	set := built(t, policiesAndOrders, map[string]string{
		"policies/a.rego":         rego,
		"policies/data.json":      `{"a": {"x": 1}}`,
		"policies/a/data.yaml":    "y: 2\n",
		"policies/a/b/data.yaml":  "3\n",
		"orders/.manifest":        `{"roots": ["orders"]}`,
		"orders/orders/data.json": `{"open": true}`,
	})
	want := map[string]any{
		"a":      map[string]any{"x": json.Number("1"), "y": json.Number("2"), "b": json.Number("3")},
		"orders": map[string]any{"open": true},
	}
	for range 2 {
		if got := set.Document(); !reflect.DeepEqual(got, want) {
			t.Errorf("document: %v", got)
		}
	}
	unchanged := map[string]any{"a": map[string]any{"x": json.Number("1")}}
	if v := set.Bundles[0].Data[2].Value(); !reflect.DeepEqual(v, unchanged) {
		t.Errorf("a file was changed: %v", v)
	}
}

func checkDecoded(t *testing.T, raw []byte, v any, bad *Problem) {
	t.Helper()
	if bad != nil {
		if bad.Row < 1 || bad.Col < 1 || bad.Message == "" {
			t.Errorf("fault without a position: %+v", bad)
		}
		return
	}
	if !testkit.IsJSON(v) {
		t.Errorf("%q has a value of another type: %#v", raw, v)
	}
	if _, err := json.Marshal(v); err != nil {
		t.Errorf("%q does not marshal: %v", raw, err)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.5e3, true, null, "x"]}`))
	f.Add([]byte(`{"a": 1, "a": 2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, bad := decodeJSON(raw)
		checkDecoded(t, raw, v, bad)
	})
}

func TestData_ProblemsOfYAMLHaveAPosition(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":       {"a: 1\nb: 2\n  c: 3\n", "3:3: data_error: mapping values are not allowed in this context"},
		"no JSON value": {"a: [.inf]", "1:5: data_error: is not a number that JSON has"},
		"empty":         {"# nothing\n", "1:1: data_error: the file is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.yaml": c.text},
				"policies/data.yaml:"+c.want)
		})
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"revision": "1", "roots": ["a/b", "c"], "rego_version": 1, "metadata": {"by": "us"}}`))
	f.Add([]byte(`{"roots": ["", "a"], "wasm": []}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ps Problems
		p := part{}
		p.readManifest(File{Path: ".manifest", Raw: raw}, &ps)
		if p.owner == (len(ps) > 0) {
			t.Errorf("%q: owner %v with problems %v", raw, p.owner, ps)
		}
		if p.owner && p.roots == nil {
			t.Errorf("%q: roots are those of a plain directory", raw)
		}
		if _, err := json.Marshal(p.bundle.Metadata); err != nil {
			t.Error(err)
		}
	})
}

// TestData_AByteOrderMarkIsNoPartOfTheText: editors of other systems put one at the beginning, in each kind of file.
func TestData_AByteOrderMarkIsNoPartOfTheText(t *testing.T) {
	const bom = "\uFEFF"
	set := built(t, policiesAndOrders, map[string]string{
		"policies/a.rego": rego, "policies/data.json": bom + `{"a": 1}`, "policies/y/data.yaml": bom + "b: 2\n",
		"orders/.manifest": bom + `{"roots": ["orders"]}`, "orders/orders/data.json": bom + `{"c": 3}`,
	})
	got, err := json.Marshal(set.Document())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":1,"orders":{"c":3},"y":{"b":2}}`; string(got) != want {
		t.Errorf("the data are %s, want %s", got, want)
	}
	refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego,
		"policies/data.json": bom + `{"a": 1, "a": 2}`},
		`policies/data.json:1:10: data_error: duplicate member "a"`)
}
