package archive

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
)

// Write writes a bundle as an archive: its files, and its signatures when there are any. Equal files make equal bytes:
// they are sorted, and have neither times nor owners.
func Write(w io.Writer, a *Archive) error {
	files := slices.Clone(a.Files)
	if a.Signatures != nil {
		files = append(files, File{Name: SignaturesName, Raw: a.Signatures})
	}
	slices.SortFunc(files, func(x, y File) int { return cmp.Compare(x.Name, y.Name) })
	gz, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(gz)
	for _, f := range files {
		h := tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Raw)), Mode: 0o644}
		if err := tw.WriteHeader(&h); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
		if _, err := tw.Write(f.Raw); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return gz.Close()
}
