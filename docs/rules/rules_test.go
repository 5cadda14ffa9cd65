package rules_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/docs/rules"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// declared is a constant of the sources that is a code of a problem.
var declared = regexp.MustCompile(`(?m)^\s*(?:const )?[cC]ode[A-Z]?[a-zA-Z]*\s*=\s*"([a-z]+(?:[_-][a-z]+)+)"`)

// codes are all codes that check prints: those of the pack, of OPA, and of the packages that report problems.
func codes(t *testing.T) []string {
	t.Helper()
	all := map[string]bool{
		ast.ParseErr: true, ast.CompileErr: true, ast.TypeErr: true, ast.UnsafeVarErr: true, ast.RecursionErr: true,
		ast.FormatErr: true, "eval_conflict_error": true, "regal": true,
	}
	// topdown has a code for two values of one rule; Regal's own codes have its pages.
	for _, r := range lint.Rules() {
		all[r.Code] = true
	}
	for _, pkg := range []string{
		"bundle", "bundle/dir", "engine", "engine/check", "engine/rego", "policytest", "review", "app",
		"gate/stage",
	} {
		files, err := filepath.Glob("../../internal/" + pkg + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pkg, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				all[m[1]] = true
			}
		}
	}
	delete(all, "misconfigured_decisions") // a state of the sidecar, which no file has
	return slices.Sorted(maps.Keys(all))
}

func TestRules_EachCodeHasAPageAndEachPageACode(t *testing.T) {
	pages, err := fs.Glob(rules.FS, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, page := range pages {
		if code := strings.TrimSuffix(page, ".md"); code != "README" {
			named = append(named, code)
		}
	}
	slices.Sort(named)
	want := codes(t)
	for _, code := range want {
		if !slices.Contains(named, code) {
			t.Errorf("%s has no page", code)
		}
	}
	for _, code := range named {
		if !slices.Contains(want, code) {
			t.Errorf("%s.md is about no code", code)
		}
	}
}

func TestRules_TheIndexListsEachPageWithItsTitleAndLevel(t *testing.T) {
	index, err := rules.FS.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range codes(t) {
		page, ok := rules.Page(code)
		if !ok {
			continue
		}
		title, rest, _ := strings.Cut(page, "\n\n")
		said := regexp.MustCompile("^`([a-z_-]+)`: (error|warning|note)").FindStringSubmatch(rest)
		if said == nil || said[1] != code {
			t.Errorf("%s.md does not begin with its title, code and level", code)
			continue
		}
		row := fmt.Sprintf("| [%s](%s.md) | %s | %s |", code, code, said[2], strings.TrimPrefix(title, "# "))
		if !strings.Contains(string(index), row+"\n") {
			t.Errorf("README.md lacks %s", row)
		}
	}
}

func TestRules_PagesSayTheLevelAndTitleOfTheRules(t *testing.T) {
	for _, r := range lint.Rules() {
		page, _ := rules.Page(r.Code)
		want := fmt.Sprintf("# %s\n\n`%s`: %s of `sidecar check`.\n", r.Title, r.Code, r.Level)
		if !strings.HasPrefix(page, want) {
			t.Errorf("%s.md does not begin with %q", r.Code, want)
		}
	}
}

func TestPage_OfNoCodeIsNone(t *testing.T) {
	for _, code := range []string{"", "README", "../policies", "no-such-code", "README.md"} {
		if _, ok := rules.Page(code); ok {
			t.Errorf("%q has a page", code)
		}
	}
}
