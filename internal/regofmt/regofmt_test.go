package regofmt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/regofmt"
)

func TestAFileKeepsItsPermissionsAndItsLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.rego"), filepath.Join(dir, "link.rego")
	if err := os.WriteFile(target, []byte("package  a\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target.rego", link); err != nil {
		t.Fatal(err)
	}
	file, problems := regofmt.Read("link.rego", link)
	if len(problems) > 0 || !file.Changed() {
		t.Fatalf("got %v, changed %v", problems, file.Changed())
	}
	if err := file.Write(); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(target)
	if err != nil || string(written) != "package a\n" {
		t.Errorf("got %q, %v", written, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file became %v, %v", info.Mode(), err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("the folder holds %v, %v", names, err)
	}
}

func TestATextOverTheLimitIsAProblem(t *testing.T) {
	_, problems := regofmt.Text("big.rego", strings.NewReader("package a\n"+strings.Repeat("# x\n", 5<<20)))
	if len(problems) != 1 || problems[0].Code != bundle.CodeLimit {
		t.Errorf("got %v", problems)
	}
}

func TestAFileThatIsMissingOrAFolderIsAProblem(t *testing.T) {
	for _, name := range []string{"missing.rego", "."} {
		_, problems := regofmt.Read(name, name)
		if len(problems) != 1 || problems[0].Code != bundle.CodeRead {
			t.Errorf("%s: got %v", name, problems)
		}
	}
}

func TestAFileThatAnEditorWroteMeanwhileIsLeftAsItIs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.rego")
	if err := os.WriteFile(name, []byte("package  a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, problems := regofmt.Read("a.rego", name)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := os.WriteFile(name, []byte("package b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := file.Write(); err == nil || !strings.Contains(err.Error(), "it has changed since it was read") {
		t.Errorf("got %v", err)
	}
	if now, err := os.ReadFile(name); err != nil || string(now) != "package b\n" {
		t.Errorf("the file holds %q, %v", now, err)
	}
}
