package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// small is a sound bundle.
var small = map[string]string{
	".manifest":             `{"revision": "r1", "roots": ["orders"]}`,
	"orders/orders.rego":    "package orders\n\nallow if input.user == \"ann\"\n",
	"orders/data.json":      `{"limits": {"get": 1.0}}`,
	"orders/more/data.yaml": "post: 2\n",
}

// entry is a file, or something else, of an archive.
type entry struct {
	name, text string
	kind       byte // a regular file when zero
}

// tarred is a tar archive.
func tarred(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	for _, e := range entries {
		h := tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o644, Typeflag: tar.TypeReg}
		if e.kind != 0 {
			h.Typeflag, h.Linkname = e.kind, "target"
		}
		if e.kind == tar.TypeXGlobalHeader {
			h = tar.Header{Typeflag: e.kind, PAXRecords: map[string]string{"comment": "0123456789abcdef"}}
		}
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t *testing.T, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	if _, err := gz.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func entries(files map[string]string) []entry {
	var out []entry
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out = append(out, entry{name: name, text: files[name]})
	}
	return out
}

// packed is an archive of a sound bundle and of further entries.
func packed(t *testing.T, more ...entry) []byte {
	t.Helper()
	return gzipped(t, tarred(t, append(entries(small), more...)...))
}

func read(raw []byte) (*archive.Archive, error) {
	return archive.Read("b.tar.gz", bytes.NewReader(raw), archive.Limits{})
}

func mustRead(t *testing.T, raw []byte) *archive.Archive {
	t.Helper()
	a, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// refused compares the problems of an archive with the wanted ones.
func refused(t *testing.T, raw []byte, want ...string) {
	t.Helper()
	a, err := read(raw)
	ps, ok := errors.AsType[bundle.Problems](err)
	if !ok || a != nil {
		t.Fatalf("read %v, error %T (%v), want problems", a, err, err)
	}
	if got := ps.Error(); got != strings.Join(want, "\n") {
		t.Errorf("problems:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}
