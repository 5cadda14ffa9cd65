package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// zeros reads as zeros for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// bomb is an archive that unpacks to far more than a gigabyte, made while it is read, and the count of what was read.
func bomb(t *testing.T, size int64, files int) (io.Reader, *int64) {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		gz := gzip.NewWriter(w)
		tw := tar.NewWriter(gz)
		for n := range files {
			name := "x" + strconv.Itoa(n) + ".rego"
			if tw.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg}) != nil {
				return
			}
			if _, err := io.CopyN(tw, zeros{}, size); err != nil {
				return
			}
		}
		_ = errors.Join(tw.Close(), gz.Close(), w.Close())
	}()
	t.Cleanup(func() { _ = r.Close(); <-done })
	var n int64
	return io.TeeReader(r, counter{&n}), &n
}

type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) {
	*c.n += int64(len(p))
	return len(p), nil
}

func TestRead_StopsABombAtABound(t *testing.T) {
	for name, c := range map[string]struct {
		size int64
		want string
	}{
		"one large file": {1 << 30, "b/x0.rego: limit_error: the file holds more than 16777216 bytes"},
		"files":          {8 << 20, "b: limit_error: each byte unpacks to more than 250: no policy shrinks that much"},
	} {
		t.Run(name, func(t *testing.T) {
			r, n := bomb(t, c.size, 128)
			_, err := archive.Read("b", r, archive.Limits{})
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if *n > 1<<20 {
				t.Errorf("%d bytes were read", *n)
			}
		})
	}
}

func TestRead_HoldsEachBound(t *testing.T) {
	whole := packed(t)
	for want, lim := range map[string]archive.Limits{
		"b: limit_error: the archive holds more than 100 bytes":                {Compressed: 100},
		"b: limit_error: all files together hold more than 100 bytes":          {Total: 100},
		"b: limit_error: there are more than 3 files and directories":          {Files: 3},
		"b/orders/orders.rego: limit_error: the file holds more than 40 bytes": {File: 40},
	} {
		a, err := archive.Read("b", bytes.NewReader(whole), lim)
		ps, _ := errors.AsType[bundle.Problems](err)
		if a != nil || ps.Error() != want {
			t.Errorf("%+v: %v, want %s", lim, err, want)
		}
	}
	exact := archive.Limits{Compressed: int64(len(whole)), Files: len(small)}
	if _, err := archive.Read("b", bytes.NewReader(whole), exact); err != nil {
		t.Error(err)
	}
}
