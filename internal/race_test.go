package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWhatIsNotRacedIsNamedRightly: "make race" skips tests by their names in any package, and packages in which
// nothing runs at once.
func TestWhatIsNotRacedIsNamedRightly(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]string{} // by name: the files
	err = filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, d := range parsed(t, path).Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					tests[f.Name.Name] = append(tests[f.Name.Name], path)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range variable(t, makefile, "UNRACED") {
		if in := tests[name]; len(in) != 1 {
			t.Errorf("UNRACED has %s, which is in %v: want it in one file", name, in)
		}
	}
	for _, dir := range variable(t, makefile, "SEQUENTIAL") {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("SEQUENTIAL has %s, which has no Go files: %v", dir, err)
		}
		for _, path := range files {
			ast.Inspect(parsed(t, path), func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				var name string
				if ok {
					if s, ok := call.Fun.(*ast.SelectorExpr); ok {
						name = s.Sel.Name
					}
				}
				if _, starts := n.(*ast.GoStmt); starts || name == "Parallel" {
					t.Errorf("SEQUENTIAL has %s, and %s runs something at once", dir, path)
				}
				return true
			})
		}
	}
}

// variable returns the words that a makefile gives a variable.
func variable(t *testing.T, makefile []byte, name string) (words []string) {
	t.Helper()
	assigned := regexp.MustCompile(`(?m)^` + name + ` \+?= ((?:.*\\\n)*.*)$`)
	for _, m := range assigned.FindAllSubmatch(makefile, -1) {
		words = append(words, strings.Fields(strings.ReplaceAll(string(m[1]), "\\\n", " "))...)
	}
	if len(words) == 0 {
		t.Errorf("%s has no value in the Makefile", name)
	}
	return words
}

func parsed(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
