package engine

import "testing"

// TestLookupsAreAnsweredAsTheStoreDoes: OPA's store finds the name "1" by the number 1, and its index does not.
func TestLookupsAreAnsweredAsTheStoreDoes(t *testing.T) {
	for _, rule := range []string{
		`reasons contains 1 if data.d.names[input.context.v]`,
		"reasons contains 1 if f(input.context.v)\nf(x) if data.d.names[x]",
		"reasons contains 1 if f(input.context.v) == 1\nf(x) := 1 if data.d.names[x] else := 2",
		"reasons contains 1 if f(input.context.v) == 1\nf(x) := 1 if { y := x; data.d.names[y] } else := 2",
		`reasons contains 1 if { x := input.context; data.d.names[x.v] }`,
		`reasons contains 1 if { input.request.method == "GET"; data.d.names[input.context.v] }`,
		`reasons contains 1 if data.d.names[input.context.v] == "x"`,
		`reasons contains 1 if { n := "names"; data.d[n][input.context.v] }`,
		`reasons contains 1 if { input.context.v = x; data.d.names[x] }`,
		"reasons contains 1 if not missing\nmissing if not data.d.names[input.context.v]",
		`reasons contains 1 if { data.d.names[input.context.v]; m := {"a": "k"}; k := m.a
	data.d.names[k] with data.d.names as {"k": 1} }`,
		"reasons contains 1 if f([input.context.v])\nf([x]) if data.d.names[x]",
		`reasons contains 1 if { data.d.names[input.context.v] or input.context.none }`,
		`reasons contains 1 if { data.d.names[input.context.v] and input.context.v }`,
	} {
		p, err := compiled(t, patient, map[string]string{"policies/a.rego": "package authz\n\n" +
			"import future.keywords.and\nimport future.keywords.or\n\ndecision := count(reasons) == 0\n" + rule + "\n",
			"policies/d/data.json": `{"names":{"1":"x","a":"x","no":false}}`})
		if err != nil {
			t.Fatal(err)
		}
		for value, found := range map[string]bool{`1`: true, `"1"`: true, `"a"`: true, `1.0`: false, `"b"`: false,
			`"no"`: false, `[1]`: false, `null`: false} {
			a, err := evaluated(t.Context(), p, valued(value))
			b, second := unindexed(t, p, valued(value))
			if err != nil || second != nil || a.Verdict.Allow == found || b.Verdict.Allow == found {
				t.Errorf("%s with %s: %+v, %v; without the index %+v, %v", rule, value, a.Verdict, err, b.Verdict,
					second)
			}
		}
	}
}

// TestALookupOfWhatIsComparedWithAConstantIsAnsweredAsTheStoreDoes has rules that match a number alone.
func TestALookupOfWhatIsComparedWithAConstantIsAnsweredAsTheStoreDoes(t *testing.T) {
	for _, rule := range []string{
		`reasons contains 1 if { x := input.context.v; data.d.names[x]; x == 1 }`,
		`reasons contains 1 if { x := input.context.v; data.d.names[x]; x = 1 }`,
		`reasons contains 1 if { x := input.context.v; x == 1; data.d.names[x] }`,
		`reasons contains 1 if { some x in [input.context.v, "z"]; x == 1.0; data.d.names[x] }`,
		"reasons contains 1 if f(input.context.v)\nf(x) if { data.d.names[x]; x == 1 }",
	} {
		p, err := compiled(t, patient, map[string]string{
			"policies/a.rego":      "package authz\n\ndecision := count(reasons) == 0\n" + rule + "\n",
			"policies/d/data.json": `{"names":{"1":"x","a":"x"}}`})
		if err != nil {
			t.Fatal(err)
		}
		for value, found := range map[string]bool{`1`: true, `"1"`: false, `2`: false, `"a"`: false} {
			if a, err := evaluated(t.Context(), p, valued(value)); err != nil || a.Verdict.Allow == found {
				t.Errorf("%s with %s: %+v, %v", rule, value, a.Verdict, err)
			}
		}
	}
}
