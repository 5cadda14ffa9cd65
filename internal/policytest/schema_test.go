package policytest

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// The editor that offers keys must agree with the reader that refuses them.
func TestSchemaHasTheKeysThatAreRead(t *testing.T) {
	var top map[string]any
	if err := json.Unmarshal(Schema(), &top); err != nil {
		t.Fatal(err)
	}
	defs := top["$defs"].(map[string]any)
	properties := func(s any, path ...string) []string {
		for _, p := range path {
			s = s.(map[string]any)[p]
		}
		return slices.Sorted(maps.Keys(s.(map[string]any)["properties"].(map[string]any)))
	}
	in := func(path string) []string { return properties(top["properties"], strings.Fields(path)...) }
	oneOf := top["properties"].(map[string]any)["issuer"].(map[string]any)["anyOf"].([]any)
	for text, want := range map[string][]string{
		"zzzzzzzzzzzz: 1":                     properties(top),
		"issuer: {zzzzzzzzzzzz: 1}":           properties(oneOf[1]),
		"defaults: {zzzzzzzzzzzz: 1}":         in("defaults"),
		"cases: [{zzzzzzzzzzzz: 1}]":          in("cases items"),
		"matrix: {a: {zzzzzzzzzzzz: 1}}":      in("matrix additionalProperties"),
		"cases: [{request: {zzzzzzzzzz: 1}}]": properties(defs["request"]),
		"cases: [{expect: {zzzzzzzzzzz: 1}}]": properties(defs["expect"]),
	} {
		if got := keysRead(t, text); !slices.Equal(got, want) {
			t.Errorf("%s: the reader takes %v, the schema has %v", text, got, want)
		}
	}
}

// keysRead are the keys that the reader lists, where one of them is unknown.
func keysRead(t *testing.T, text string) []string {
	t.Helper()
	inside(t, map[string]string{"policies/s_suite.yml": text})
	_, err := LoadSuites(served(), []string{"policies"})
	ps, _ := errors.AsType[bundle.Problems](err)
	for _, p := range ps {
		if m := regexp.MustCompile(`unknown key "z+" in [a-z ]+, want one of (.*)$`).FindStringSubmatch(
			p.Message); m != nil {
			return strings.Split(m[1], ", ")
		}
	}
	t.Fatalf("%s: no unknown key: %v", text, err)
	return nil
}
