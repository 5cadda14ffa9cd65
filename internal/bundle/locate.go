package bundle

import (
	"path"
	"slices"
)

// Locate finds the file that holds the data at a path under data, and their position in it. Row and col are 0 when
// only the file is known; file is empty when no file writes there. It reads the file again, because a Set does not
// keep the text of data.
func (s *Set) Locate(at []string) (file string, row, col int) {
	var found *DataFile
	for _, b := range s.Bundles {
		for i := range b.Data {
			if d := &b.Data[i]; d.holds(at) && (found == nil || len(d.At) > len(found.At)) {
				found = d
			}
		}
	}
	if found == nil || len(at) == 0 {
		return "", 0, 0
	}
	if s.readAgain == nil {
		return found.Path, 0, 0
	}
	raw, err := s.readAgain(found.Path)
	if err != nil {
		return found.Path, 0, 0
	}
	kind, _, _ := Classify(path.Base(found.Path))
	row, col = SourceFile{Kind: kind, File: File{Raw: raw}}.locate(at[len(found.At):])
	return found.Path, row, col
}

// holds reports whether a file writes at a path under data, as far as the first name below the file tells.
func (d *DataFile) holds(at []string) bool {
	if len(d.At) > len(at) || !slices.Equal(d.At, at[:len(d.At)]) {
		return false
	}
	if len(d.At) == len(at) {
		return true
	}
	members, _ := membersOf(d.value)
	_, ok := members[at[len(d.At)]]
	return ok
}
