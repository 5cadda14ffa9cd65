package dir

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestLoad_NamesThatAreNearlyThoseOfPolicyOrDataAreProblems(t *testing.T) {
	inside(t, map[string]string{
		"policies/a.rego":        rego,
		"policies/b.REGO":        rego,
		"policies/c.reog":        rego,
		"policies/Data.yml":      "a: 1",
		"policies/x/dta.json":    "{}",
		"policies/y/data.jsn":    "{}",
		"policies/z/data.json5":  "{}",
		"policies/z/data2.yaml":  "{}",
		"policies/z/DATA.JSON":   "{}",
		"policies/z/data.yaml.1": "{}",
	})
	hint := func(names string) string {
		return "name_error: the name is nearly that of a data file, and the file would be ignored: rename it to " +
			names + ", or list it under policies.ignore"
	}
	refused(t, onlyPolicies,
		"policies/Data.yml: "+hint("data.yml"),
		"policies/b.REGO: name_error: the name ends in .REGO and would be ignored: rename it to end in .rego",
		"policies/c.reog: name_error: the name ends in .reog and would be ignored: rename it to end in .rego",
		"policies/x/dta.json: "+hint("data.json"),
		"policies/y/data.jsn: "+hint("data.json or data.yaml"),
		"policies/z/DATA.JSON: "+hint("data.json"),
		"policies/z/data.json5: "+hint("data.json or data.yaml"),
		"policies/z/data2.yaml: "+hint("data.yaml"))
}

func TestLoad_FilesOfOtherToolsAreLeftOutWithANotice(t *testing.T) {
	inside(t, map[string]string{
		"policies/a.rego":                            rego,
		"policies/docker-compose.yml":                "services: {}",
		"policies/package.json":                      "{}",
		"policies/x/input.json":                      "{}",
		"policies/bundle.tar.gz":                     "x",
		"policies/README.md":                         "x",
		"policies/node_modules/left-pad/data.json":   `{"a": 1}`,
		"policies/node_modules/left-pad/policy.rego": "package broken {",
	})
	must(t, os.Symlink("nowhere", "policies/x.txt"))
	set, err := Load(onlyPolicies)
	must(t, err)
	hint := "name_error: ignored: data are only read from files called data.json or data.yaml, and the folder says " +
		"where they go; policies.ignore keeps this note away"
	want := strings.Join([]string{
		"policies/bundle.tar.gz: name_error: ignored: archives are not read; unpack it into a folder, " +
			"and name that under policies.bundles",
		"policies/docker-compose.yml: " + hint,
		"policies/node_modules: name_error: ignored: packages of Node.js",
		"policies/package.json: " + hint,
		"policies/x.txt: read_error: ignored: the link leads nowhere",
		"policies/x/input.json: " + hint,
	}, "\n")
	if got := set.Ignored.Error(); got != want {
		t.Errorf("ignored:\n%s\nwant:\n%s", got, want)
	}
	if len(set.Bundles[0].Modules) != 1 || len(set.Bundles[0].Data) != 0 {
		t.Errorf("%+v", set.Bundles[0])
	}
	before := set.Digest
	must(t, os.Remove("policies/package.json"))
	if set, err = Load(onlyPolicies); err != nil || set.Digest != before {
		t.Errorf("a file of another tool changed the digest: %v", err)
	}
}

func TestLoad_WhatIsToBeIgnoredIsNotLookedAt(t *testing.T) {
	inside(t, map[string]string{
		"policies/a.rego":             rego,
		"policies/Data.json":          "{",
		"policies/deploy/broken.rego": "package {",
		"policies/x/old.bak.rego":     "package {",
		"policies/x/y/z.rego":         "package {",
		"policies/x/z.rego":           rego,
	})
	cfg := onlyPolicies
	cfg.Ignore = []string{"Data.json", "deploy/", "*.bak.rego", "x/y/*.rego"}
	set, err := Load(cfg)
	must(t, err)
	if len(set.Bundles[0].Modules) != 2 || len(set.Ignored) != 0 {
		t.Errorf("%+v, ignored %v", set.Bundles[0].Modules, set.Ignored)
	}
}

func TestConfig_PatternsThatAreNoneAreFaults(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego})
	var keys []string
	cfg := Config{Paths: []string{"policies"}, Ignore: []string{"ok", "[", "", "/"}}
	cfg.Check(func(key, _, _ string) { keys = append(keys, key) })
	if want := []string{"ignore[1]", "ignore[2]", "ignore[3]"}; !slices.Equal(keys, want) {
		t.Errorf("faults at %q", keys)
	}
}
