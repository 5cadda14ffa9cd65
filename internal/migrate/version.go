package migrate

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// module is a file of Rego.
type module struct {
	file string
	ast  *ast.Module
	v0   bool
	test bool
	// rulesBefore is the number of rules of the original.
	rulesBefore int
	// imports are the paths by the names that they have in the module.
	imports map[ast.Var]ast.Ref
}

// parse reads the modules. A file that does not parse is reported, unless none does.
func (s *session) parse(files []File) error {
	var failed []string
	for _, f := range files {
		if path.Ext(f.Name) != ".rego" {
			continue
		}
		m, err := s.parseModule(f)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %s", f.Name, firstError(err)))
			row := 1
			if errs, ok := errors.AsType[ast.Errors](err); ok && len(errs) > 0 && errs[0].Location != nil {
				row = errs[0].Location.Row
			}
			s.report.left(f.Name, row, "does not parse, neither as Rego v1 nor as v0: "+firstError(err),
				"correct it by hand, and migrate again; the file is left out")
			continue
		}
		m.rulesBefore = len(m.ast.Rules)
		s.modules = append(s.modules, m)
	}
	switch {
	case len(s.modules) == 0 && len(failed) == 0:
		return ErrNoPolicy
	case len(s.modules) == 0:
		return fmt.Errorf("%w: %s", ErrUnreadable, strings.Join(failed, "; "))
	}
	slices.SortFunc(s.modules, byName)
	return nil
}

func (s *session) parseModule(f File) (*module, error) {
	text := strings.TrimPrefix(strings.ReplaceAll(string(f.Text), "\r\n", "\n"), "\ufeff")
	m := &module{file: f.Name, test: strings.HasSuffix(f.Name, "_test.rego")}
	var err error
	if m.ast, err = parseAs(f.Name, text, ast.RegoV1); err == nil {
		return m, nil
	}
	var older error
	if m.ast, older = parseAs(f.Name, text, ast.RegoV0); older == nil {
		m.v0 = true
		return m, nil
	}
	if !strings.Contains(older.Error(), "package expected") {
		if strings.Contains(text, "import rego.v1") || strings.Contains(text, "\nimport future.keywords") {
			return nil, err
		}
		return nil, older
	}
	return s.withPackage(m, text, older)
}

// withPackage reads rules without a package, which Authorino wraps in one of its own.
func (s *session) withPackage(m *module, text string, failed error) (*module, error) {
	name := strings.Map(letter, strings.TrimSuffix(path.Base(m.file), ".rego"))
	for _, version := range []ast.RegoVersion{ast.RegoV1, ast.RegoV0} {
		parsed, err := parseAs(m.file, "package "+name+"\n"+text, version)
		if err != nil {
			continue
		}
		seen := map[*ast.Location]bool{}
		up := func(loc *ast.Location) {
			if loc != nil && !seen[loc] && loc.Row > 1 {
				seen[loc] = true
				loc.Row--
			}
		}
		ast.WalkNodes(parsed, func(n ast.Node) bool { up(n.Loc()); return false })
		for _, c := range parsed.Comments {
			up(c.Location)
		}
		m.ast, m.v0 = parsed, version == ast.RegoV0
		s.report.note(m.file, 1, "there was no package, as in Authorino: it is package "+name+" now", "")
		return m, nil
	}
	return nil, failed
}

func parseAs(name, text string, version ast.RegoVersion) (*ast.Module, error) {
	return ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: version, ProcessAnnotation: true})
}

// letter keeps what a name may have.
func letter(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
		return r
	}
	return '_'
}
