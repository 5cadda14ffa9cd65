package config

import (
	"os"
	"testing"
)

func TestAConfigurationWithFaultsIsReadPartlyUnlessAFaultMayConcernPolicies(t *testing.T) {
	inDirectory(t)
	for src, told := range map[string]bool{
		"listen: {api: {adress: 127.0.0.1:1}}":  true,
		"shutdown_timeout: 5":                   true,
		"engine: {deadline: 5}":                 true,
		"decision: {realm: 5s\n, limits: [1]}":  false,
		"input: {body_bytes: many}":             true,
		"policies: {path: [other]}":             false,
		"policies: {paths: {}}":                 false,
		"polices: {paths: [other]}":             false,
		"engine: {allow_builtin: [http.send]}":  false,
		"engine: {allow_builtins: {}}":          false,
		"engine: []":                            false,
		"input: {headers: 5, body_bytes: many}": false,
		"decision: {entrypont: a/b}":            false,
		"decision: {token: sometimes}":          false,
		"listen: [":                             false,
		"listen: {}\n---\npolicies: {}":         false,
		"":                                      false,
	} {
		if err := os.WriteFile("sidecar.yaml", []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load("sidecar.yaml", nil); err == nil {
			t.Errorf("%q has no fault", src)
		}
		if got := LoadPartly("sidecar.yaml", nil) != nil; got != told {
			t.Errorf("%q: %t, want %t", src, got, told)
		}
	}
	if LoadPartly("sidecar.yaml", []string{"SIDECAR_POLICES_PATHS=x"}) != nil ||
		LoadPartly("missing.yaml", nil) != nil {
		t.Error("an unknown variable, or a missing file, tells where policies are")
	}
}
