// Package library adds the library that the binary carries, data.sidecar, to policies that refer to it.
//
// It is all or nothing: a set that brings a module or data of its own under data.sidecar uses its own copy alone, so
// that no file can replace a part of the library and leave the rest.
package library

import (
	"bytes"
	"path"
	"regexp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/policies"
)

const (
	// Name is that of the library among the bundles of a set, and the beginning of the paths of its files:
	// sidecar-library/scopes/scopes.rego.
	Name = "sidecar-library"
	// Version is the revision of that bundle. It belongs to the digest of a set that has the library.
	Version = policies.EmbeddedLibraryVersion
	// root is the name under data that the library owns.
	root = "sidecar"
)

// Complete returns c with the library, when a module or a test of c refers to data.sidecar and neither a module nor
// data of c is there. It changes nothing that c holds.
func Complete(c bundle.Contents) bundle.Contents {
	if !needed(c) {
		return c
	}
	c.Sources, c.Problems = slices.Clone(c.Sources), slices.Clone(c.Problems)
	for _, s := range c.Sources {
		if s.Name == Name || path.Dir(s.Name) == Name {
			c.Problems.Add(s.Name, bundle.CodeDirectory, "the library of the binary has this name: rename the "+
				"directory")
			return c
		}
	}
	c.Sources = append(c.Sources, Source())
	return c
}

// Source returns the library as a source of its own.
func Source() bundle.Source {
	return FromFS(Name, bundle.Embedded, policies.EmbeddedLibrary(), Version)
}

// needed reports whether something refers to data.sidecar, and nothing is there.
func needed(c bundle.Contents) bool {
	refers := false
	caps := ast.CapabilitiesForThisVersion()
	for _, s := range c.Sources {
		for _, f := range s.Files {
			if f.Kind != bundle.Module && f.Kind != bundle.Test {
				continue
			}
			if !mayName(f.Raw) {
				continue
			}
			m := parse(f.File, caps)
			if f.Kind == bundle.Module && m.defines {
				return false
			}
			refers = refers || m.refers
		}
	}
	return refers && !c.HoldsData(root)
}

// mayName reports whether a module may spell the name of the library. Those that cannot need not be parsed twice. A
// string of Rego can spell a letter by an escape.
func mayName(raw []byte) bool {
	return bytes.Contains(raw, []byte(root)) || bytes.Contains(raw, []byte(`\u`))
}

// use is what a module has to do with data.sidecar.
type use struct{ defines, refers bool }

var (
	packageLine = regexp.MustCompile(`(?m)^[ \t]*package[ \t]+` + root + `\b`)
	reference   = regexp.MustCompile(`\bdata\.` + root + `\b`)
)

// parse reads a module. The text of one that no parser reads is searched, so that its own fault is the only one told.
func parse(f bundle.File, caps *ast.Capabilities) use {
	var m *ast.Module
	err := error(nil)
	for _, version := range []ast.RegoVersion{ast.RegoV1, ast.RegoV0} {
		options := ast.ParserOptions{RegoVersion: version, Capabilities: caps}
		if m, err = ast.ParseModuleWithOpts(f.Path, string(f.Raw), options); err == nil && m != nil {
			break
		}
	}
	if err != nil || m == nil {
		return use{packageLine.Match(f.Raw), reference.Match(f.Raw)}
	}
	out := use{defines: below(m.Package.Path)}
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		out.refers = out.refers || below(ref) && !ref.Equal(m.Package.Path)
		return out.refers
	})
	return out
}

// below reports whether a reference is at or below data.sidecar.
func below(ref ast.Ref) bool {
	return len(ref) > 1 && ref[0].Equal(ast.DefaultRootDocument) && ref[1].Value.Compare(ast.String(root)) == 0
}
