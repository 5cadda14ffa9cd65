package keyfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func joined(texts []secret.Text) (string, error) {
	var all []string
	for _, t := range texts {
		if t.Reveal() == "unusable" {
			return "", errors.New("it is unusable")
		}
		all = append(all, t.Reveal())
	}
	return strings.Join(all, "+"), nil
}

// pair is a value of two files in a new directory.
func pair(t *testing.T) (a, b string, f *keyfile.Files[string]) {
	t.Helper()
	dir := t.TempDir()
	a, b = filepath.Join(dir, "a"), filepath.Join(dir, "b")
	testkit.WriteFile(t, a, "\ufeffone")
	testkit.WriteFile(t, b, "two\n")
	f, v, err := keyfile.Open(joined, keyfile.File("a", a, 100), keyfile.Secret("b", secret.Source{File: b}))
	if err != nil || v != "one+two" || !f.Any() {
		t.Fatalf("value is %q, error is %v", v, err)
	}
	return a, b, f
}

// look expects what Look returns: a new value, "" for no change, or a part of an error.
func look(t *testing.T, f *keyfile.Files[string], value, fault string) {
	t.Helper()
	v, changed, err := f.Look()
	said := ""
	if err != nil {
		said = err.Error()
	}
	if v != value || changed != (value != "") || (said == "") != (fault == "") || !strings.Contains(said, fault) {
		t.Errorf("value is %q (changed: %t), error is %v; want %q and %q", v, changed, err, value, fault)
	}
}

func TestAChangedFileIsANewValue(t *testing.T) {
	a, b, f := pair(t)
	look(t, f, "", "")
	testkit.WriteFile(t, a, "six")
	look(t, f, "six+two", "")
	testkit.WriteFile(t, b, "ten")
	look(t, f, "six+ten", "")
	look(t, f, "", "")
}

func TestAFileThatCannotBeUsedIsToldOnceAndReadAgain(t *testing.T) {
	a, _, f := pair(t)
	testkit.WriteFile(t, a, "unusable")
	look(t, f, "", "it is unusable")
	look(t, f, "", "")
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	look(t, f, "", "a: read file: open")
	testkit.WriteFile(t, a, strings.Repeat("x", 101))
	look(t, f, "", "over 100 bytes")
	testkit.WriteFile(t, a, "one")
	look(t, f, "", "") // what it was
	testkit.WriteFile(t, a, "unusable")
	look(t, f, "", "it is unusable")
	testkit.WriteFile(t, a, "six")
	look(t, f, "six+two", "")
}

func TestALinkToAnotherFileIsAChange(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{"old", "new"} {
		testkit.WriteFile(t, filepath.Join(dir, name), name)
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "link")
	lead := func(to string) {
		t.Helper()
		_ = os.Remove(link)
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	lead("old")
	f, _, err := keyfile.Open(joined, keyfile.File("a", link, 100))
	if err != nil {
		t.Fatal(err)
	}
	lead("new")
	look(t, f, "new", "")
}

func TestAFileWithItsFormerTimesIsReadAgainWhenAsked(t *testing.T) {
	dir := t.TempDir()
	name, long := filepath.Join(dir, "a"), time.Now().Add(-time.Hour)
	write := func(text string) {
		t.Helper()
		testkit.WriteFile(t, name, text)
		if err := os.Chtimes(name, long, long); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	f, _, err := keyfile.Open(joined, keyfile.File("a", name, 100))
	if err != nil {
		t.Fatal(err)
	}
	write("six")
	look(t, f, "", "")
	f.Reread()
	look(t, f, "six", "")
}

func TestPEMThatIsCutOffIsNotComplete(t *testing.T) {
	pem := testkit.SelfSigned(t).PEM()
	if !keyfile.CompletePEM(pem+pem) || keyfile.CompletePEM(pem+pem[:len(pem)/2]) {
		t.Error("a whole file is not complete, or a part of one is")
	}
}
