package bundler

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// manifest is a .manifest in OPA's format.
type manifest struct {
	Revision    string         `json:"revision"`
	Roots       []string       `json:"roots,omitzero"`
	RegoVersion *int           `json:"rego_version,omitzero"`
	Metadata    jsontext.Value `json:"metadata,omitzero"`
}

// withManifest gives the files their manifest: the one that is there, with what Building says in place of its members,
// or one that is made from the files. One that is wrong stays as it is: loading it tells the mistake.
func (b Building) withManifest(files []archive.File) ([]archive.File, error) {
	var m manifest
	at := manifestOf(files)
	if at >= 0 {
		if json.Unmarshal(files[at].Raw, &m, json.RejectUnknownMembers(true)) != nil {
			return files, nil
		}
		if b.Revision == "" && b.Roots == nil && m.Revision != "" {
			return files, nil
		}
	} else {
		one := 1
		m.RegoVersion = &one
	}
	others := slices.DeleteFunc(slices.Clone(files), func(f archive.File) bool {
		return f.Name == bundle.ManifestName
	})
	switch {
	case b.Roots != nil:
		m.Roots = b.Roots
	case at < 0:
		roots, err := rootsOf(others)
		if err != nil {
			return nil, err
		}
		m.Roots = roots
	}
	if b.Revision != "" {
		m.Revision = b.Revision
	} else if m.Revision == "" {
		m.Revision = strings.TrimPrefix(archive.Digest(others), "sha256:")[:12]
	}
	raw, err := json.Marshal(m, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, err
	}
	return append(others, archive.File{Name: bundle.ManifestName, Raw: append(raw, '\n')}), nil
}

// rootsOf are the packages and the data of files, without those below others, sorted. Packages of tests are among
// them: OPA reads tests as modules.
func rootsOf(files []archive.File) ([]string, error) {
	src, err := archive.New("bundle", files)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, f := range src.WithTests().Files {
		switch f.Kind {
		case bundle.Module, bundle.Test:
			m, err := ast.ParseModuleWithOpts(f.Path, string(f.Raw), ast.ParserOptions{RegoVersion: ast.RegoV1})
			if err == nil && m != nil { // else loading tells what is wrong
				found[rootOf(m.Package.Path)] = true
			}
		case bundle.DataJSON, bundle.DataYAML:
			if len(f.Dirs) > 0 {
				found[strings.Join(f.Dirs, "/")] = true
				continue
			}
			value, _ := f.Decode()
			members, _ := value.(map[string]any)
			for name := range members {
				found[name] = true
			}
		case bundle.Other, bundle.Manifest, bundle.Suite:
		}
	}
	roots := []string{}
	for root := range found {
		below := false
		for other := range found {
			below = below || other != root && bundle.RootsOverlap(other, root) && len(other) < len(root)
		}
		if !below {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots, nil
}

// rootOf is the path of a package under data.
func rootOf(pkg ast.Ref) string {
	var names []string
	for _, t := range pkg[1:] {
		if s, ok := t.Value.(ast.String); ok {
			names = append(names, string(s))
		}
	}
	return strings.Join(names, "/")
}
