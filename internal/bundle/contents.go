package bundle

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
)

// Contents is what a Set is built from: files as values, wherever they come from.
type Contents struct {
	Sources []Source
	// Problems were met while the files were read. With one of them no Set is built.
	Problems Problems
	// Ignored are those of the Set.
	Ignored Problems
	// ReadAgain reads a file once more by its path, for Set.Locate; nil when that is impossible.
	ReadAgain func(path string) ([]byte, error)
}

// Source is one plain directory or one bundle.
type Source struct {
	// Name is that of the Bundle.
	Name   string
	Layout Layout
	// Revision is that of an embedded source; others state theirs in a manifest. It is part of the digest.
	Revision string
	Files    []SourceFile // in any order
	// ContentDigest and Signed are Digest and Signed of the Bundle. They are no part of the digest of the Contents.
	ContentDigest string
	Signed        Signed
}

// Layout says how the files of a source are arranged.
type Layout uint8

const (
	// Plain is a directory of Rego and data, without a manifest.
	Plain Layout = iota
	// Bundled is OPA's bundle layout, with a .manifest at the top.
	Bundled
	// Embedded is what the binary itself carries: the library. It has no manifest, and is only there when the other
	// sources hold nothing at its place, so that their roots do not bind it.
	Embedded
)

// SourceFile is one file of a source.
type SourceFile struct {
	File
	Kind Kind
	// Dirs are the directories that the file is in, from the top of the source down.
	Dirs []string
}

// HoldsData reports whether a data file writes at data.<name>. A file that cannot be read writes nothing.
func (c Contents) HoldsData(name string) bool {
	for _, s := range c.Sources {
		for _, f := range s.Files {
			if f.Kind != DataJSON && f.Kind != DataYAML {
				continue
			}
			if len(f.Dirs) > 0 {
				if f.Dirs[0] == name {
					return true
				}
			} else if row, _ := f.locate([]string{name}); row > 0 {
				return true
			}
		}
	}
	return false
}

// Digest is "sha256:<hex>" over the source name, path and content of each file, each part with its length, sorted by
// name and path, and over the revision of an embedded source.
func (c Contents) Digest() string {
	h := sha256.New()
	byName := func(a, b Source) int { return cmp.Compare(a.Name, b.Name) }
	for _, s := range slices.SortedStableFunc(slices.Values(c.Sources), byName) {
		for _, f := range s.sorted() {
			writePart(h, []byte(s.Name))
			writePart(h, []byte(f.Path))
			writePart(h, f.Raw)
		}
		if s.Revision != "" {
			writePart(h, []byte(s.Revision))
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// sorted returns the files by path.
func (s Source) sorted() []SourceFile {
	return slices.SortedFunc(slices.Values(s.Files), func(a, b SourceFile) int { return cmp.Compare(a.Path, b.Path) })
}

// writePart writes a part with its length, so that no two lists of parts are written alike.
func writePart(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	_, _ = h.Write(n[:])
	_, _ = h.Write(b)
}
