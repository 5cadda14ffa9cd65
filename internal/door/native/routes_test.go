package native

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

func TestEachRouteIsDescribedAndNoOther(t *testing.T) {
	mounts := []door.Mount{{Door: description.Door{Operations: []description.Operation{
		{Method: http.MethodGet, Path: "/mounted/{path}", ID: "mounted", Listeners: []string{"api"}, Head: true},
	}}, Handlers: map[string]http.Handler{"mounted": http.NotFoundHandler()}}}
	for listener, add := range map[string]func(*echo.Echo, listen.Limits, Deps){
		"api": addAPI, "admin": addAdmin, "metrics": addMetrics,
	} {
		e := echo.New()
		add(e, listen.Limits{}, Deps{Events: http.NotFoundHandler()})
		addMounts(e, listener, mounts)
		addDescription(e, listener, door.Doors(mounts))
		var served, described []string
		for _, r := range e.Routes() {
			served = append(served, r.Method+" "+r.Path)
		}
		for _, o := range operations(door.Doors(mounts)) {
			if !slices.Contains(o.Listeners, listener) {
				continue
			}
			path := o.Path
			if o.Needs == description.NoName {
				path = eventsPath
			}
			path = strings.ReplaceAll(path, "{path}", "*")
			described = append(described, o.Method+" "+path)
			if o.Head {
				described = append(described, http.MethodHead+" "+path)
			}
		}
		slices.Sort(served)
		slices.Sort(described)
		if described = slices.Compact(described); !slices.Equal(served, described) {
			t.Errorf("%s serves\n%s\nand described are\n%s", listener, strings.Join(served, "\n"),
				strings.Join(described, "\n"))
		}
	}
}

// TestEachCodeOfACallErrorIsDescribedAndNoOther reads the codes from the sources of the door and of evictions.
func TestEachCodeOfACallErrorIsDescribedAndNoOther(t *testing.T) {
	page, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	given := codesInSources(t)
	for _, c := range callErrors() {
		if !slices.Contains(given, c.code) {
			t.Errorf("no call gets %s", c.code)
		}
		row := "| " + strconv.Itoa(c.status) + " | `" + c.code + "` |"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/api.md has no row %s", row)
		}
	}
	for _, code := range given {
		if codeNamed(code).status == 0 {
			t.Errorf("%s is not described", code)
		}
	}
}

// codesInSources are the texts in the place of a code: the second argument of NewCallError, what is assigned to a
// field Code, and the cases of a switch on one.
func codesInSources(t *testing.T) []string {
	t.Helper()
	var codes []string
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				codes = append(codes, text)
			}
		}
	}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != ".." && d.Name() != "native" {
			return fs.SkipDir // doors with errors of their own
		}
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			codesIn(n, add)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

func codesIn(n ast.Node, add func(ast.Expr)) {
	switch n := n.(type) {
	case *ast.CallExpr:
		if named(n.Fun) == "NewCallError" {
			add(n.Args[1])
		}
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if named(to) == "Code" {
				add(n.Rhs[i])
			}
		}
	case *ast.SwitchStmt:
		if named(n.Tag) != "Code" {
			return
		}
		for _, s := range n.Body.List {
			for _, value := range s.(*ast.CaseClause).List {
				add(value)
			}
		}
	}
}

// named is the last name of an expression such as door.NewCallError or out.Code.
func named(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
