package lint

import (
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// file is the path of the module that is looked at.
const file = "policies/authz.rego"

// setOf is a set of one module, or of one module of tests.
func setOf(text string) *bundle.Set {
	b := bundle.Bundle{Name: "policies", RegoVersion: 1}
	if strings.Contains(text, "package authz_test") {
		b.Tests = []bundle.File{{Path: "policies/authz_test.rego", Raw: []byte(text)}}
	} else {
		b.Modules = []bundle.File{{Path: file, Raw: []byte(text)}}
	}
	return &bundle.Set{Bundles: []bundle.Bundle{b}}
}

// settings are those of two issuers and two entrypoints.
func settings() Config {
	return Config{
		Entrypoints: []string{"authz/allow", "authz/decision"}, Issuers: []string{"one", "two"},
		Rego: rego.Options{AllowBuiltins: []string{"http.send"}},
	}
}

// compiled is the pack, which all tests share.
var compiled = sync.OnceValues(compilePack)

// linted is what is found in an example, which must parse, and in which no builtin of the pack may fail.
func linted(t *testing.T, example string) Report {
	t.Helper()
	set := setOf(module(example))
	if _, problems := rego.Parse(set, settings().Rego, rego.WithTests); len(problems) > 0 {
		t.Fatalf("%v in:\n%s", problems, example)
	}
	report, failed := examined(t, set, settings())
	for _, f := range failed {
		t.Errorf("a builtin of the pack failed: %v", &f)
	}
	return report
}

// examined is what run returns.
func examined(t *testing.T, set *bundle.Set, cfg Config) (Report, []topdown.Error) {
	t.Helper()
	compiler, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	report, failed, err := run(t.Context(), compiler, set, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return report, failed
}
