// Package archive reads and writes bundles as files: tar archives compressed by gzip, in OPA's layout.
//
// Read accepts only what OPA reads in the same way: an archive that means something else to OPA than to this package
// is refused, because its signature or its review may be OPA's. Everything is bounded, and nothing is unpacked to a
// disk.
package archive

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// SignaturesName is the name of the file of signatures, at the top of a bundle.
const SignaturesName = ".signatures.json"

// Archive is a bundle as files. It is immutable.
type Archive struct {
	// Name is that of the source, which messages show: "bundles/orders.tar.gz".
	Name string
	// Files are all files but that of signatures, sorted by name. Those that are neither policy nor data are among
	// them, since signatures cover them.
	Files []File
	// Signatures is the file of signatures as it was read; nil when there is none.
	Signatures []byte
	// Digest is that of Files.
	Digest string
	// Ignored are files that look like data and are left out.
	Ignored bundle.Problems
}

// File is one file of a bundle.
type File struct {
	// Name is its path from the top of the bundle, with forward slashes: "orders/data.json".
	Name string
	// Stored is its path as the archive spells it, without the slash that OPA writes at its front:
	// "./orders/data.json".
	Stored string
	Raw    []byte
	Kind   bundle.Kind
}

// New is the bundle of files that come from elsewhere than an archive, such as a folder. Of each file it reads Name
// and Raw. Its error is bundle.Problems.
func New(name string, files []File) (*Archive, error) {
	c := collector{Archive: &Archive{Name: name}, names: map[string]bool{}}
	for _, f := range files {
		if c.admit(f.Name) {
			c.add(f.Name, f.Raw)
		}
	}
	return c.finish()
}

// Policies is the source without tests and suites, as it is served.
func (a *Archive) Policies() bundle.Source {
	return a.source(bundle.Manifest, bundle.Module, bundle.DataJSON, bundle.DataYAML)
}

// WithTests is the source with its *_test.rego files.
func (a *Archive) WithTests() bundle.Source {
	return a.source(bundle.Manifest, bundle.Module, bundle.Test, bundle.DataJSON, bundle.DataYAML)
}

// WithSuites is the source with all tests.
func (a *Archive) WithSuites() bundle.Source {
	return a.source(bundle.Manifest, bundle.Module, bundle.Test, bundle.Suite, bundle.DataJSON, bundle.DataYAML)
}

func (a *Archive) source(kinds ...bundle.Kind) bundle.Source {
	src := bundle.Source{Name: a.Name, Layout: bundle.Bundled, ContentDigest: a.Digest}
	for _, f := range a.Files {
		if slices.Contains(kinds, f.Kind) {
			src.Files = append(src.Files, bundle.SourceFile{
				File: bundle.File{Path: path.Join(a.Name, f.Name), Raw: f.Raw}, Kind: f.Kind, Dirs: dirs(f.Name)})
		}
	}
	return src
}

// dirs are the directories that a file is in.
func dirs(name string) []string {
	all := strings.Split(name, "/")
	return all[:len(all)-1]
}

// Digest is "sha256:<hex>" over the name and the bytes of each file, each with its length, sorted by name. It is the
// content digest of a bundle: that of two archives with equal files is equal, however they are packed and signed.
func Digest(files []File) string {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		_, _ = h.Write(n[:])
		_, _ = h.Write(b)
	}
	byName := func(a, b File) int { return cmp.Compare(a.Name, b.Name) }
	for _, f := range slices.SortedFunc(slices.Values(files), byName) {
		part([]byte(f.Name))
		part(f.Raw)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
