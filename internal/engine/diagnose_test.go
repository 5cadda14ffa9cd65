package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// sound is a policy that decides, for others to be put beside.
const sound = "package authz\n\n# METADATA\n# entrypoint: true\ndefault decision := false\n"

func TestProblemsOfAllKindsAreReportedTogether(t *testing.T) {
	refused(t, patient, map[string]string{
		"policies/authz.rego":      sound,
		"policies/conflict.rego":   "package conflict\n\na := 1\n\na contains 2\n",
		"policies/defaults.rego":   "package defaults\n\ndefault a := 1\n\ndefault a := 2\n",
		"policies/function.rego":   "package function\n\na if nothing(1)\n",
		"policies/metadata.rego":   "package metadata\n\n# METADATA\n# custom: {token: {mode: jwt}}\na := 1\n",
		"policies/recursion.rego":  "package recursion\n\na if a\n",
		"policies/rooms/of.rego":   "package rooms\n\nopen if data.rooms[input.request.segments[0]].open\n",
		"policies/rooms/data.yaml": "hall: {open: true}\n",
		"policies/reference.rego":  "package reference\n\na if data.limits.dya\n",
		"policies/result.rego":     "package result\n\n# METADATA\n# entrypoint: true\nanswer := {\"alow\": true}\n",
		"policies/stated.rego": "package stated\n\n# METADATA\n# custom: {problems: true}\nproblems contains " +
			"\"a limit\" if data.limits.day == 1\n",
		"policies/syntax.rego":      "package syntax\n\na if {\n",
		"policies/types.rego":       "package types\n\na if input.method == \"GET\"\n",
		"policies/undefined.rego":   "package undefined\n\n# METADATA\n# entrypoint: true\nanswer if input.context.x\n",
		"policies/unsafe.rego":      "package unsafe\n\na if x == 1\n",
		"policies/unused.rego":      "package unused\n\nimport data.limits\n\na if {\n\tx := 1\n}\n",
		"policies/limits/data.yaml": "day: 1\n",
	},
		`policies/conflict.rego:3:1: rego_type_error: conflicting rules data.conflict.a found`,
		`policies/defaults.rego:5:1: rego_type_error: multiple default rules data.defaults.a found at policies/defaults.rego:3, policies/defaults.rego:5`,
		`policies/function.rego:3:6: rego_type_error: undefined function nothing`,
		`policies/metadata.rego:3:1: metadata_error: custom.token of data.metadata.a has no effect: write it on an entrypoint`,
		`policies/recursion.rego:3:1: rego_recursion_error: rule data.recursion.a is recursive: data.recursion.a -> data.recursion.a`,
		`policies/reference.rego:3:6: reference_error: undefined ref: data.limits.dya: no rule and no data provide data.limits.dya (data.limits has: day); did you mean data.limits.day?`,
		`policies/result.rego:5:12: result_error: the result of data.result.answer has an unknown member "alow", want allow, reasons, challenge, status, upstream_headers, upstream_token, response_headers, obligations or context`,
		`policies/rooms/of.rego:3:1: rego_recursion_error: rule data.rooms.open may be recursive: data.rooms.open -> data.rooms.open (data.rooms[input.request.segments[0]] refers to data.rooms.open if input.request.segments[0] is "open"); rules are under data as well: give the data another name than the package`,
		`policies/stated.rego:5:1: policy_error: a limit`,
		`policies/syntax.rego:4:1: rego_parse_error: unexpected eof token; a brace, bracket or quotation mark above is not closed`,
		`policies/types.rego:3:6: rego_type_error: undefined ref: input.method (have: "method", want (one of): ["action" "context" "mcp" "request" "resource" "subject" "token" "version"]); here input.method is input.request.method`,
		`policies/undefined.rego:5:1: result_error: data.undefined.answer can be undefined: it is for GET /orders/42 with the token of a user; give it a default, such as: default answer := false`,
		`policies/unsafe.rego:3:6: rego_unsafe_var_error: var x is unsafe; nothing gives it a value: is the name misspelt, or is a := or a some missing?`,
		`policies/unused.rego:3:1: rego_compile_error: import data.limits unused`,
		`policies/unused.rego:6:2: rego_compile_error: assigned var x unused`,
	)
}

// TestConsequencesOfAProblemAreNotReported: each faulty file has dependants, of which nothing else is wrong.
func TestConsequencesOfAProblemAreNotReported(t *testing.T) {
	dependants := map[string]string{
		"policies/authz.rego": "package authz\n\nimport data.lib\n\n# METADATA\n# entrypoint: true\ndecision if " +
			"lib.open\n\ndecision := lib.answer if lib.f(1)\n",
		"policies/more.rego": "package lib\n\nlocal if open\n\nother if f(2)\n\nfine := answer\n",
		"policies/uses.rego": "package uses\n\na if not data.lib.open\n\nb := data.lib.f(1)\n\nc := b.x\n\nd := " +
			"data.lib.table.x\n\n# METADATA\n# custom: {problems: true}\nproblems contains \"no table\" if not " +
			"data.lib.table.x\n",
	}
	whole := "package lib\n\nopen if input.request.method == \"GET\"\n\nanswer := {\"allow\": true}\n\nf(x) := " +
		"{\"x\": x}\n\ntable.x := 1\n"
	for name, c := range map[string]struct{ from, to, want string }{
		"syntax":     {"table.x := 1", "table.x := (1", "policies/lib.rego:10:1: rego_parse_error: "},
		"no package": {"package lib", "", "policies/lib.rego:3:1: rego_parse_error: package expected"},
		"types":      {"input.request.method", "input.method", "rego_type_error: undefined ref: input.method"},
		"unsafe":     {"input.request.method", "y", "rego_unsafe_var_error: var y is unsafe"},
		"functions":  {"{\"x\": x}", "nothing(x)", "rego_type_error: undefined function nothing"},
		"results":    {"\"allow\"", "\"alow\"", "has an unknown member \"alow\""},
		"conflict": {"table.x := 1", "open := 1\n\nopen contains 2\n\ntable.x := 1",
			"rego_type_error: conflicting rules data.lib.open found"},
		"recursion": {"open if input.request.method == \"GET\"", "open if data.uses.a", "is recursive"},
		"reference": {"input.request.method == \"GET\"", "data.lib.table.y",
			"reference_error: undefined ref: data.lib.table.y"},
		"unused": {"open if", "import data.uses\n\nopen if", "import data.uses unused"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"policies/lib.rego": strings.Replace(whole, c.from, c.to, 1)}
			for file, text := range dependants {
				files[file] = text
			}
			_, err := compiled(t, patient, files)
			if err == nil {
				t.Fatal("it compiles")
			}
			told := 0
			for line := range strings.Lines(err.Error()) {
				if strings.Contains(line, c.want) {
					told++
				} else {
					t.Errorf("told too: %s", line)
				}
			}
			if told == 0 {
				t.Errorf("problems %v, want %q", err, c.want)
			}
		})
	}
}

func TestNothingIsReportedAboutLostData(t *testing.T) {
	t.Parallel()
	set := &bundle.Set{Bundles: []bundle.Bundle{{Name: "policies", RegoVersion: 1, Modules: []bundle.File{
		{Path: "a.rego", Raw: []byte(sound)},
		{Path: "b.rego", Raw: []byte("package b\n\nx if data.limits.day\n\ny if data.other.day\n\n# METADATA\n# " +
			"custom: {problems: true}\nproblems contains \"no limits\" if not data.limits.day\n")},
	}}}}
	const want = "b.rego:5:6: reference_error: undefined ref: data.other.day: no rule and no data provide " +
		"data.other (data has: authz, b); if it comes with an optional bundle, say so by custom.optional_data in " +
		"the metadata"
	if got := Diagnose(t.Context(), set, [][]string{{"limits"}}, patient, decisionPath); got.Error() != want {
		t.Errorf("problems:\n%s\nwant:\n%s", got, want)
	}
	if got := Diagnose(t.Context(), set, [][]string{{}}, patient, "authz/other"); len(got) != 0 {
		t.Errorf("where anything may be lost: %s", got)
	}
}

// TestADiagnosisBeginsNoCompilationAfterItsTime: the first problems are told all the same.
func TestADiagnosisBeginsNoCompilationAfterItsTime(t *testing.T) {
	set := &bundle.Set{Bundles: []bundle.Bundle{{Name: "policies", RegoVersion: 1, Modules: []bundle.File{
		{Path: "a.rego", Raw: []byte(sound + "\na if x == 1\n\nb if input.method\n")},
	}}}}
	cfg := patient
	cfg.CompileTimeout = time.Nanosecond
	got := Diagnose(context.Background(), set, nil, cfg, decisionPath)
	if len(got) != 1 || !strings.HasPrefix(got.Error(), "a.rego:7:6: rego_unsafe_var_error: var x is unsafe") {
		t.Error(got)
	}
}
