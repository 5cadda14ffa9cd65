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
	Files  []SourceFile // in any order
}

// Layout says how the files of a source are arranged.
type Layout uint8

const (
	// Plain is a directory of Rego and data, without a manifest.
	Plain Layout = iota
	// Bundled is OPA's bundle layout, with a .manifest at the top.
	Bundled
)

// SourceFile is one file of a source.
type SourceFile struct {
	File
	Kind Kind
	// Dirs are the directories that the file is in, from the top of the source down.
	Dirs []string
}

// Digest is "sha256:<hex>" over the source name, path and content of each file, each part with its length, sorted by
// name and path.
func (c Contents) Digest() string {
	h := sha256.New()
	byName := func(a, b Source) int { return cmp.Compare(a.Name, b.Name) }
	for _, s := range slices.SortedStableFunc(slices.Values(c.Sources), byName) {
		for _, f := range s.sorted() {
			writePart(h, []byte(s.Name))
			writePart(h, []byte(f.Path))
			writePart(h, f.Raw)
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
