// Package migrate rewrites policies that read the input of another product, so that they read the input of the
// sidecar.
//
// Everything is done on the syntax tree, in steps: parse (Rego v1, else v0), rename what are keywords today, replace
// builtins that are gone, turn what policies do with a token into what the token says, rename references to the input
// by the table of the product, drop what nothing reads any more, and add one rule that answers as the sidecar asks.
// What cannot be translated stays in place, never allows by itself, and is in the report.
package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// File is a file of a policy set: the path below its directory, with slashes, and the content.
type File struct {
	Name string
	Text []byte
}

// Options are choices that the policies do not make themselves. The zero value detects and takes the defaults.
type Options struct {
	// From is the name of a product, or "" and "auto" to tell it by the members that are read.
	From string
	// User is what input.user becomes: subject (the default), username or context.
	User string
	// Entrypoint is the rule that callers asked, as "httpapi/authz/allow"; "" chooses it by name.
	Entrypoint string
	// Map are further renames, of paths below the input such as "claims", to references of the sidecar.
	Map map[string]string
}

// Result is the set in its new form.
type Result struct {
	Files  []File
	Report Report
}

// Errors that end a migration before anything is rewritten.
var (
	ErrNoPolicy   = errors.New("no *.rego file")
	ErrUnreadable = errors.New("no file can be parsed")
	ErrNoRequests = errors.New("no policy about requests")
	ErrProduct    = errors.New("unknown product")
)

// Run rewrites the files of a directory. The error is an ErrNoPolicy, ErrUnreadable or ErrNoRequests, with the reason.
func Run(files []File, opts Options) (*Result, error) {
	w := &world{}
	s := &session{world: w, opts: opts, need: needs{headers: map[string]bool{}, original: map[string]bool{}}}
	if err := s.parse(files); err != nil {
		return nil, err
	}
	s.renameKeywords()
	s.replaceBuiltins()
	w.index()
	seen := s.look()
	if reason := otherSubject(seen, w); reason != "" && (opts.From == "" || opts.From == "auto") {
		for _, left := range s.report.Left { // what did not parse may have told more
			reason += "; " + left.String()
		}
		return nil, fmt.Errorf("%w: %s", ErrNoRequests, reason)
	}
	var err error
	if s.product, err = s.choose(seen); err != nil {
		return nil, err
	}
	s.report.detected(s.product, seen)
	before := w.readers()
	if s.product.name != ours {
		s.translateTokens()
		s.dropUnread(before)
		s.rename(seen)
	}
	s.dropUnread(before)
	w.index()
	s.answer(before)
	s.unused()
	if s.product.name != ours {
		s.readByFunctions()
		s.generate()
	}
	out, err := s.write(files)
	if err != nil {
		return nil, err
	}
	s.tell(seen)
	return &Result{Files: out, Report: s.report}, nil
}

// session is one run.
type session struct {
	*world
	opts    Options
	product *product
	report  Report
	need    needs
	// pathIs says whether the member path of the product is an array or a text here.
	pathIs pathKind
	// added are the modules that the run makes.
	added []File
	// entry is the rule that decided there, once it is known.
	entry entry
	// inputs are rules of tests that are used as an input, and are translated.
	inputs map[string]bool
}

// needs is what the new policies want of the configuration and of the generated package.
type needs struct {
	headers map[string]bool
	// original are members of the context that the whole document has.
	original map[string]bool
	body     bool
}

// write formats the modules, and parses what it wrote.
func (s *session) write(files []File) ([]File, error) {
	var out []File
	for _, m := range s.modules {
		if len(m.ast.Rules) == 0 && m.rulesBefore > 0 {
			s.report.note(m.file, 1, "the file is left out: nothing reads its rules any more", "")
			continue
		}
		text, err := formatted(m)
		if err != nil {
			return nil, fmt.Errorf("%s: write the new policy: %w", m.file, err)
		}
		again, err := ast.ParseModuleWithOpts(m.file, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			s.report.left(m.file, 1, "the new text does not parse: "+firstError(err), "correct it by hand")
		} else if len(again.Rules) != len(m.ast.Rules) {
			s.report.left(m.file, 1, fmt.Sprintf("%d rules became %d", len(m.ast.Rules), len(again.Rules)),
				"compare the file with the original")
		}
		out = append(out, File{m.file, text})
	}
	for _, f := range s.added {
		text, err := format.SourceWithOpts(f.Name, f.Text, format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("%s: write the new policy: %w", f.Name, err)
		}
		out = append(out, File{f.Name, text})
	}
	out = append(out, s.otherFiles(files)...)
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func formatted(m *module) ([]byte, error) {
	m.ast.SetRegoVersionSpan(ast.RegoVersionSpanOf(ast.RegoV1))
	m.ast.Imports = slices.DeleteFunc(m.ast.Imports, func(imp *ast.Import) bool {
		return strings.HasPrefix(imp.Path.String(), "future.") || imp.Path.String() == "rego.v1"
	})
	for _, r := range m.ast.Rules {
		placeHeads(r)
	}
	text, err := format.AstWithOpts(m.ast, format.Opts{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, err
	}
	// New terms have no place yet: lines are broken by a second run.
	if again, err := format.SourceWithOpts(m.file, text, format.Opts{RegoVersion: ast.RegoV1}); err == nil {
		return again, nil
	}
	return text, nil
}

// placeHeads gives new parts of the heads of rules the place of their rule: the formatter needs one there.
func placeHeads(r *ast.Rule) {
	for part := r; part != nil; part = part.Else {
		for _, t := range part.Head.Reference {
			ast.WalkNodes(t, func(n ast.Node) bool {
				if n.Loc() == nil {
					n.SetLoc(r.Location)
				}
				return false
			})
		}
	}
}

func firstError(err error) string {
	if errs, ok := errors.AsType[ast.Errors](err); ok && len(errs) > 0 {
		return errs[0].Message
	}
	return err.Error()
}

func byName(a, b *module) int { return cmp.Compare(a.file, b.file) }
