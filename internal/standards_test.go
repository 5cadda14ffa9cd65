package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// requirements are the ids that docs/standards.md has a row for: the prefix, and the last number.
var requirements = []struct {
	prefix string
	last   int
}{
	{"INT-", 21}, {"JWI-", 10}, {"CA-", 8}, {"MTLS-", 6}, {"DPOP-", 23}, {"MD-", 5}, {"BR-", 7}, {"JAT-", 6},
	{"BCP-", 7}, {"trap ", 25},
	{"BCL-", 4}, {"SET-", 4}, {"PUSH-", 3}, {"POLL-", 1}, {"EV-", 3}, {"PRM-", 3}, {"AZ-", 15}, {"GW-", 8},
}

// testsOf finds the tests and fuzz tests of every package, by the folder's path below the module or below internal.
func testsOf(t *testing.T) map[string][]string {
	t.Helper()
	tests := map[string][]string{}
	root := os.DirFS("..")
	for _, top := range []string{"internal", "cmd", "policy_test"} {
		err := fs.WalkDir(root, top, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "testdata" {
				return fs.SkipDir // modules of their own
			}
			if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
				return err
			}
			src, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			pkg := strings.TrimPrefix(path.Dir(name), "internal/")
			for _, decl := range f.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && isTest.MatchString(fn.Name.Name) {
					tests[pkg] = append(tests[pkg], fn.Name.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return tests
}

var (
	isTest = regexp.MustCompile(`^(Test|Fuzz)\w+$`)
	quoted = regexp.MustCompile("`([^`]+)`(:?)")
	row    = regexp.MustCompile(`^\| ((?:[A-Z]+-|trap )\d+b?) \| (.+?) \| (.+) \|$`)
)

// named reads "`package`: `TestA`, `TestB`; `other`: `TestC`" and gives every test with its package.
func named(text string, found func(pkg, test string)) {
	pkg := ""
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		switch {
		case isTest.MatchString(m[1]):
			found(pkg, m[1])
		case m[2] == ":":
			pkg = m[1]
		}
	}
}

// TestTestsThatAreNamedInDocumentsExist keeps promises about tests from rotting when tests are renamed or moved.
func TestTestsThatAreNamedInDocumentsExist(t *testing.T) {
	tests := testsOf(t)
	for _, doc := range []string{"docs/standards.md", "SECURITY.md"} {
		text, err := os.ReadFile("../" + doc)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			named(line, func(pkg, test string) {
				if !slices.Contains(tests[pkg], test) {
					t.Errorf("%s:%d: package %q has no %s", doc, i+1, pkg, test)
				}
			})
		}
	}
}

// TestEveryRequirementHasATestOrAReason wants one row for each id, with a test in it or a line that says why not.
func TestEveryRequirementHasATestOrAReason(t *testing.T) {
	text, err := os.ReadFile("../docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		rows[m[1]]++
		n := 0
		named(m[3], func(string, string) { n++ })
		if n == 0 && !strings.HasPrefix(m[3], "Not: ") {
			t.Errorf("docs/standards.md:%d: %s has neither a test nor a reason", i+1, m[1])
		}
	}
	for _, r := range requirements {
		for n := 1; n <= r.last; n++ {
			if id := fmt.Sprint(r.prefix, n); rows[id] != 1 {
				t.Errorf("%s has %d rows", id, rows[id])
			}
		}
	}
}
