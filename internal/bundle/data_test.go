package bundle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestData_FaultsOfJSONHaveAPosition(t *testing.T) {
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	for name, c := range map[string]struct{ text, want string }{
		"syntax":             {"{\n  \"é\": x}", "2:8: data_error: invalid character 'x' at start of value"},
		"duplicate member":   {"{\"a\": {\"b\": 1,\n \"b\": 2}}", "2:2: data_error: duplicate member \"b\""},
		"too short":          {"{\"a\": [1,\n", "1:10: data_error: the file ends too early"},
		"too long":           {"{}\n  {}", "2:3: data_error: there is something after the value"},
		"rubbish at the end": {"{}\n}", "2:1: data_error: invalid character '}' at start of value"},
		"invalid UTF-8":      {"{\"a\": \"\xff\"}", "1:8: data_error: invalid UTF-8"},
		"empty":              {" \n", "1:1: data_error: the file is empty"},
		"number too large":   {"{\"a\": [1,\n  1e999999999]}", "2:3: data_error: is a number with an exponent, or a count of digits, over 10000"},
		"deep":               {"{\"a\": " + deep + "}", "1:263: data_error: values are nested more than 256 levels deep"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.json": c.text},
				"policies/data.json:"+c.want)
		})
	}
}

func TestData_FaultsOfYAMLHaveAPosition(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"mapping inside a line": {"a: 1\nb: 2\n  c: 3\n", "3:3: data_error: mapping values are not allowed in this context"},
		"wrong indentation":     {"a:\n  b: 1\n  c: 2\n d: 3\n", "4:2: data_error: did not find expected key"},
		"open bracket":          {"a: 1\nb: [1,\n  2\n", "3:3: data_error: did not find expected ',' or ']'"},
		"tab":                   {"a:\n\tb: 1\n", "2:2: data_error: found character that cannot start any token"},
		"first line":            {"a: 'x\n", "1:1: data_error: found unexpected end of stream"},
		"duplicate key":         {"a:\n  b: 1\n  c: 1\n  b: 2\n", "4:3: data_error: duplicate key \"b\", first on line 2"},
		"key that is a number":  {"a:\n  404: x\n", "2:3: data_error: the key is not a string: put it in quotes"},
		"key that is a list":    {"? [a]\n: x\n", "1:3: data_error: the key is not a string: put it in quotes"},
		"merge key":             {"a: &a {x: 1}\nb:\n  <<: *a\n", "3:3: data_error: merge keys are not read: write the members out"},
		"infinity":              {"a: [.inf]", "1:5: data_error: is not a number that JSON has"},
		"number too large":      {"a:\n  b: !!float 1e999999999", "2:6: data_error: is a number with an exponent, or a count of digits, over 10000"},
		"binary":                {"a: !!binary aGk=", "1:4: data_error: the tag !!binary is not known"},
		"tag on a scalar":       {"a: !x y", "1:4: data_error: the tag !x is not known"},
		"tag on a list":         {"a: !x [y]", "1:4: data_error: the tag !x is not known"},
		"tag on a mapping":      {"a: !x {y: z}", "1:4: data_error: the tag !x is not known"},
		"text called null":      {"a: !!null x", "1:4: data_error: is not null"},
		"text called a number":  {"a: !!int x", "1:4: data_error: is not a number"},
		"text called a boolean": {"a: !!bool x", "1:4: data_error: is not a boolean"},
		"two documents":         {"a: 1\n---\nb: 2\n", "2:1: data_error: only one document in a file is read"},
		"broken second":         {"a: 1\n---\nb: [\n", "3:1: data_error: did not find expected node content"},
		"empty":                 {"# nothing\n", "1:1: data_error: the file is empty"},
		"empty document":        {"---\n", "1:1: data_error: the file is empty"},
		"alias inside itself":   {"a: &a [*a]\n", "1:8: data_error: values are nested more than 256 levels deep"},
		"invalid UTF-8":         {"a: 1\nb: \xff\n", "2:4: data_error: invalid UTF-8 or a control character"},
		"control character":     {"a: \x01", "1:4: data_error: invalid UTF-8 or a control character"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.yaml": c.text},
				"policies/data.yaml:"+c.want)
		})
	}
}

func TestData_AliasesCannotMultiplyWithoutEnd(t *testing.T) {
	text := "a0: &a0 x\n"
	for i := 1; i < 10; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	if _, f := decodeYAML([]byte(text)); f == nil || f.Message != "aliases stand for more than 100000 values" {
		t.Errorf("fault: %+v", f)
	}
}

func TestData_YAMLIsReadAsTheJSONItStandsFor(t *testing.T) {
	const text = `
text: plain
quoted: "5"
yes: yes
date: 2026-01-02
dated: !!timestamp 2026-01-02
whole: 12345678901234567890123
fraction: 1.50
hex: 0x1F
spaced: 1_000
big: 0xffffffffffffffff
signed: +1
short: .5
truth: true
none: ~
nothing:
anchor: &a [1]
alias: *a
merge: <<
`
	got, f := decodeYAML([]byte(text))
	if f != nil {
		t.Fatalf("%+v", f)
	}
	one := []any{json.Number("1")}
	want := map[string]any{
		"text": "plain", "quoted": "5", "yes": "yes", "date": "2026-01-02", "dated": "2026-01-02",
		"whole": json.Number("12345678901234567890123"), "fraction": json.Number("1.50"), "hex": json.Number("31"),
		"spaced": json.Number("1000"), "big": json.Number("18446744073709551615"), "signed": json.Number("1"),
		"short": json.Number("0.5"), "truth": true, "none": nil, "nothing": nil, "anchor": one, "alias": one, "merge": "<<",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestData_JSONKeepsAllTypesAndTheSpellingOfNumbers(t *testing.T) {
	got, f := decodeJSON([]byte(`{"a": [1.0, 1e400, true, false, null, "\u00e9"], "b": {}, "c": []}`))
	if f != nil {
		t.Fatalf("%+v", f)
	}
	want := map[string]any{"a": []any{json.Number("1.0"), json.Number("1e400"), true, false, nil, "é"}, "b": map[string]any{}, "c": []any{}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestData_TopOfADirectoryMustBeAnObject(t *testing.T) {
	refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.json": "[1]", "policies/list/data.json": "[1]"},
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
	if v := set.Bundles[0].Data[2].Value; !reflect.DeepEqual(v, map[string]any{"a": map[string]any{"x": json.Number("1")}}) {
		t.Errorf("a file was changed: %v", v)
	}
}

func TestData_NumberThatBeginsWithZeroIsAProblem(t *testing.T) {
	for _, number := range []string{"01067", "010115", "-007", "0_7"} {
		refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.yaml": "codes:\n- " + number + "\n"},
			"policies/data.yaml:2:3: data_error: a number that begins with 0 is read as octal (010 is 8): quote it where it is a text, write 0o10 where octal is meant")
	}
	built(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.yaml": "codes: [\"01067\", 0o17, 0, 0x1F, 0.5, 1_000]\n"})
}

// isJSON reports whether a value has only the types that DataFile.Value promises.
func isJSON(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if !isJSON(e) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			if !isJSON(e) {
				return false
			}
		}
	case string, bool, nil, json.Number:
	default:
		return false
	}
	return true
}

func checkDecoded(t *testing.T, raw []byte, v any, bad *Problem) {
	t.Helper()
	if bad != nil {
		if bad.Row < 1 || bad.Col < 1 || bad.Message == "" {
			t.Errorf("fault without a position: %+v", bad)
		}
		return
	}
	if !isJSON(v) {
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

func FuzzYAML(f *testing.F) {
	f.Add([]byte("a: &x [1, 0x1F, .5, ~]\nb: *x\nc: !!str 5\n"))
	f.Add([]byte("a:\n  - b\n - c"))
	f.Add([]byte("a: !!float 1_0.5\n? b\n: |\n  text\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, bad := decodeYAML(raw)
		checkDecoded(t, raw, v, bad)
	})
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
	const mark = "\uFEFF"
	set := built(t, policiesAndOrders, map[string]string{
		"policies/a.rego": rego, "policies/data.json": mark + `{"a": 1}`, "policies/y/data.yaml": mark + "b: 2\n",
		"orders/.manifest": mark + `{"roots": ["orders"]}`, "orders/orders/data.json": mark + `{"c": 3}`,
	})
	got, err := json.Marshal(set.Document())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":1,"orders":{"c":3},"y":{"b":2}}`; string(got) != want {
		t.Errorf("the data are %s, want %s", got, want)
	}
	refused(t, onlyPolicies, map[string]string{"policies/a.rego": rego, "policies/data.json": mark + `{"a": 1, "a": 2}`},
		`policies/data.json:1:10: data_error: duplicate member "a"`)
}
