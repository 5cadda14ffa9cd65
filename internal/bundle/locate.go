package bundle

import (
	"io"
	"os"
	"path"
	"slices"
)

// Locate finds the file that holds the data at a path under data, and where in it they are. Row and Col are 0 when only the file
// is known, and file is empty when no file writes there. It reads the file anew: nothing keeps the text of data.
func (s *Set) Locate(at []string) (file string, row, col int) {
	var found *DataFile
	for i := range s.Bundles {
		for j := range s.Bundles[i].Data {
			d := &s.Bundles[i].Data[j]
			if len(d.At) <= len(at) && slices.Equal(d.At, at[:len(d.At)]) && has(d.Value, at[len(d.At):min(len(at), len(d.At)+1)]) && (found == nil || len(d.At) > len(found.At)) {
				found = d
			}
		}
	}
	if found == nil || len(at) == 0 {
		return "", 0, 0
	}
	raw, err := readAgain(found.Path)
	if err != nil {
		return found.Path, 0, 0
	}
	kind, _, _ := classify(path.Base(found.Path))
	row, col = locate(located{kind: kind, raw: raw}, at[len(found.At):])
	return found.Path, row, col
}

func has(value any, names []string) bool {
	if len(names) == 0 {
		return true
	}
	m, ok := value.(map[string]any)
	_, is := m[names[0]]
	return ok && is
}

func readAgain(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, usual().file))
}
