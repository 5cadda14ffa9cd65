package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// onDisk is a source of a path.
func onDisk(path string) source.Config {
	return configured("", func(c *source.Config) { c.Path, c.AllowInsecureHTTP = path, false })
}

// place puts an archive in place by renaming.
func place(t *testing.T, at string, raw []byte) {
	t.Helper()
	testkit.WriteFile(t, at+".new", string(raw))
	if err := os.Rename(at+".new", at); err != nil {
		t.Fatal(err)
	}
}

func TestFile_ArchiveIsReadAgainWhenItChanges(t *testing.T) {
	at := filepath.Join(t.TempDir(), "orders.tar.gz")
	place(t, at, orders(t, "1", "one"))
	s := open(t, onDisk(at)).run(t)
	s.becomes(t, "one")
	place(t, at, orders(t, "2", "two"))
	s.becomes(t, "two")
	if st := s.Status()[0]; st.Kind != "file" || st.ETag != "" || !st.Healthy || st.Revision != "2" {
		t.Errorf("status %+v", st)
	}
}

func TestFile_DamagedOrMissingArchiveLeavesTheLastGoodOne(t *testing.T) {
	at := filepath.Join(t.TempDir(), "orders.tar.gz")
	place(t, at, orders(t, "1", "one"))
	s := open(t, onDisk(at)).run(t)
	place(t, at, cut(orders(t, "2", "two")))
	s.fails(t, "archive_error")
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	s.fails(t, "does not exist")
	if s.holds() != "one" {
		t.Errorf("holds %s", s.holds())
	}
	place(t, at, orders(t, "3", "three"))
	s.becomes(t, "three")
}

func TestFile_FolderIsReadLikeAnArchive(t *testing.T) {
	at := t.TempDir()
	for name, text := range map[string]string{
		".manifest":        `{"revision": "1", "roots": ["orders"]}`,
		"orders/a.rego":    "package orders\n",
		"orders/data.json": `{"word": "one"}`,
		"README.md":        "x",
	} {
		testkit.WriteFile(t, filepath.Join(at, name), text)
	}
	s := open(t, onDisk(at)).run(t)
	s.becomes(t, "one")
	testkit.WriteFile(t, filepath.Join(at, "orders/data.json"), `{"word": "two"}`)
	s.becomes(t, "two")
}

func TestFile_ThatIsMissingAtTheStartIsSaidAtOnce(t *testing.T) {
	at := filepath.Join(t.TempDir(), "orders.tar.gz")
	place(t, at, orders(t, "1", "one"))
	cfg := onDisk(at)
	cfg.Path = at + ".gone"
	s, err := source.Open([]source.Config{cfg}, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.First(t.Context())
	if st := s.Status()[0]; len(st.Errors) != 1 || !strings.Contains(st.Errors[0].Text, "does not exist") {
		t.Errorf("status %+v", st)
	}
}
