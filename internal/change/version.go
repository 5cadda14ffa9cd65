package change

import (
	"cmp"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// versionOf names what a side is.
func versionOf(s Side) Version {
	v := Version{Name: s.Name, Covers: "files", Sources: []Source{}, Entrypoints: []string{}}
	for _, p := range s.Problems {
		v.Problems = append(v.Problems, Problem(p))
	}
	if s.Set == nil {
		return v
	}
	v.Digest = s.Set.Digest // which has the names of the files
	if s.Commit != "" {
		v.Digest, v.Covers = "git:"+s.Commit, "commit"
	}
	for _, b := range s.Set.Bundles {
		if b.Embedded {
			v.EmbeddedLibrary = b.Revision
			continue
		}
		v.Modules += len(b.Modules)
		v.Sources = append(v.Sources, sourceOf(b))
	}
	if len(v.Sources) == 1 && v.Sources[0].Digest != "" {
		v.Digest, v.Covers = v.Sources[0].Digest, "bundle"
	}
	if s.Policy != nil {
		v.Revision, v.Entrypoints = s.Policy.Revision(), s.Policy.Entrypoints()
	}
	return v
}

func sourceOf(b bundle.Bundle) Source {
	kind := "directory"
	if b.Roots != nil {
		kind = "bundle"
	}
	return Source{Name: b.Name, Kind: kind, Revision: b.Revision, Digest: contentDigest(b),
		Roots:  slices.Clone(b.Roots),
		Signed: b.Signed}
}

// contentDigest is that of a bundle; of a folder it is that of the archive which sidecar bundle build makes of it.
func contentDigest(b bundle.Bundle) string {
	if b.Digest != "" || b.Roots == nil {
		return b.Digest
	}
	a, err := archive.Folder(b.Name, b.Name, archive.Limits{})
	if err != nil {
		return "" // it has changed since it was loaded
	}
	return a.Digest
}

// named is the name of a version in a sentence.
func (v *Version) named() string { return cmp.Or(v.Name, v.Digest) }
