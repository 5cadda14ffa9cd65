package bundler

import (
	"encoding/json"
	"errors"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/library"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// Inspection is what is in a bundle. Its JSON form is stable: members are added, not changed.
type Inspection struct {
	// File is the archive or the folder, and Digest the content digest that reviews, signatures, status and log name.
	File        string         `json:"file"`
	Digest      string         `json:"digest"`
	Revision    string         `json:"revision"`
	Roots       []string       `json:"roots"`
	RegoVersion int            `json:"rego_version"`
	Metadata    jsontext.Value `json:"metadata,omitzero"`

	Packages    []string     `json:"packages"`
	Entrypoints []Entrypoint `json:"entrypoints"`
	// Builtins are those that reach the network or the machine, and Hosts the hosts that http.send may reach, "*" for
	// any: of the entrypoints. They are absent where the bundle does not compile by itself.
	Builtins []string   `json:"builtins,omitempty"`
	Hosts    []string   `json:"hosts,omitempty"`
	Data     []DataFile `json:"data"`
	// RegoTests counts the rules named test_, Suites the files of suites.
	RegoTests int `json:"rego_tests"`
	Suites    int `json:"suites"`
	// Other are the files that are neither policy nor test.
	Other []string `json:"other,omitempty"`

	// Signatures are what they say of themselves: nothing is verified.
	Signatures []signature.Stated `json:"signatures"`
}

// Entrypoint is a rule that callers may ask for.
type Entrypoint struct {
	Path  string `json:"path"`
	Title string `json:"title,omitzero"`
}

// DataFile is one file of data.
type DataFile struct {
	// At is where it belongs under data: "orders/limits"; empty for the top.
	At    string `json:"at"`
	File  string `json:"file"`
	Bytes int    `json:"bytes"`
}

// Inspect says what is in a bundle. Files that are wrong are bundle.Problems.
func Inspect(a *archive.Archive) (*Inspection, error) {
	set, err := bundle.Build(bundle.Contents{Sources: []bundle.Source{a.WithTests()}})
	if err != nil {
		return nil, err
	}
	b := set.Bundles[0]
	in := &Inspection{File: a.Name, Digest: a.Digest, Revision: b.Revision, Roots: b.Roots, RegoVersion: b.RegoVersion,
		Packages: []string{}, Entrypoints: []Entrypoint{}, Data: []DataFile{}, Signatures: []signature.Stated{}}
	if b.Metadata != nil {
		if in.Metadata, err = json.Marshal(b.Metadata); err != nil { // whose numbers keep their spelling
			return nil, err
		}
	}
	var ps bundle.Problems
	for _, f := range a.Files {
		in.add(a, f, b.RegoVersion, &ps)
	}
	if len(ps) > 0 {
		return nil, ps.Sorted()
	}
	slices.Sort(in.Packages)
	in.Packages = slices.Compact(in.Packages)
	stated, err := signature.State(a)
	if err != nil {
		return nil, bundle.Problems{{File: a.Name, Code: bundle.CodeSignature, Message: err.Error()}}
	}
	in.Signatures = append(in.Signatures, stated...)
	in.reach(a)
	return in, nil
}

// reach adds what the entrypoints may reach. Each guarded builtin is allowed here: nothing is evaluated.
func (in *Inspection) reach(a *archive.Archive) {
	set, err := bundle.Build(library.Complete(bundle.Contents{Sources: []bundle.Source{a.Policies()}}))
	if err != nil {
		return
	}
	field, _ := conf.FieldNamed(reflect.TypeFor[engine.Config](), "allow_builtins")
	guarded := field.Enum
	var paths []string
	for _, e := range in.Entrypoints {
		paths = append(paths, e.Path)
	}
	program, err := meaning.Of(set, engine.Config{AllowBuiltins: guarded}.Rego(), paths)
	if err != nil {
		return
	}
	for _, e := range program.Entrypoints {
		in.Hosts = append(in.Hosts, slices.Collect(maps.Keys(e.Hosts))...)
		for name := range e.Builtins {
			if slices.Contains(guarded, name) {
				in.Builtins = append(in.Builtins, name)
			}
		}
	}
	slices.Sort(in.Builtins)
	slices.Sort(in.Hosts)
	in.Builtins, in.Hosts = slices.Compact(in.Builtins), slices.Compact(in.Hosts)
}

func (in *Inspection) add(a *archive.Archive, f archive.File, version int, ps *bundle.Problems) {
	switch f.Kind {
	case bundle.Module, bundle.Test:
		m, err := parsed(path.Join(a.Name, f.Name), f.Raw, version)
		if err != nil {
			*ps = append(*ps, err...)
			return
		}
		in.module(m, f.Kind)
	case bundle.DataJSON, bundle.DataYAML:
		at := path.Dir(f.Name)
		if at == "." {
			at = ""
		}
		in.Data = append(in.Data, DataFile{At: at, File: f.Name, Bytes: len(f.Raw)})
	case bundle.Suite:
		in.Suites++
	case bundle.Other:
		in.Other = append(in.Other, f.Name)
	case bundle.Manifest:
	}
}

func (in *Inspection) module(m *ast.Module, kind bundle.Kind) {
	if kind == bundle.Test {
		for _, r := range m.Rules {
			if strings.HasPrefix(r.Head.Ref()[0].String(), "test_") {
				in.RegoTests++
			}
		}
		return
	}
	in.Packages = append(in.Packages, strings.ReplaceAll(rootOf(m.Package.Path), "/", "."))
	set, _ := ast.BuildAnnotationSet([]*ast.Module{m}) // what is wrong with one, loading tells
	if set == nil {
		return
	}
	for _, a := range set.Flatten() {
		if a.Annotations.Entrypoint {
			in.Entrypoints = append(in.Entrypoints, Entrypoint{Path: rootOf(a.Path), Title: a.Annotations.Title})
		}
	}
}

// parsed is a module with its annotations.
func parsed(name string, raw []byte, version int) (*ast.Module, bundle.Problems) {
	var m *ast.Module
	of, err := ast.RegoVersionFromIntStrict(version)
	if err == nil {
		m, err = ast.ParseModuleWithOpts(name, string(raw),
			ast.ParserOptions{ProcessAnnotation: true, RegoVersion: of})
	}
	if err == nil && m != nil {
		return m, nil
	}
	problem := bundle.Problem{File: name, Code: ast.ParseErr, Message: "the file holds no module"}
	if errs, ok := errors.AsType[ast.Errors](err); ok && len(errs) > 0 {
		problem.Message = errs[0].Message
		if at := errs[0].Location; at != nil {
			problem.Row, problem.Col = at.Row, at.Col
		}
	}
	return nil, bundle.Problems{problem}
}
