package change

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// layoutForm says how a bundle is laid out.
type layoutForm uint8

const (
	asArchive layoutForm = iota
	asFolder
)

// packed is a version that is one archive, or one bundle folder, of the files below policies.
func packed(t *testing.T, name string, files map[string]string, form layoutForm) Side {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	var list []archive.File
	own := map[string]string{".manifest": `{"roots": ["authz", "authz_test"], "revision": "` + name + `"}`}
	for file, text := range files {
		own[strings.TrimPrefix(file, "policies/")] = text
	}
	for file, text := range own {
		list = append(list, archive.File{Name: file, Raw: []byte(text)})
	}
	if form == asFolder {
		testkit.WriteFiles(t, at, own)
	} else {
		a, err := archive.New(name, list)
		if err != nil {
			t.Fatal(err)
		}
		at += ".tar.gz"
		f, err := os.Create(at)
		if err != nil {
			t.Fatal(err)
		}
		if err := archive.Write(f, a); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config.Default()
	cfg.Policies.Paths, cfg.Policies.Bundles = nil, []string{at}
	s := Side{Name: name, Config: cfg}
	if err := s.Load(context.Background()); err != nil || s.Policy == nil {
		t.Fatal(err, s.Problems)
	}
	return s
}

func TestArchive_ItsTestsAreRunAndItsContentIsNamed(t *testing.T) {
	now := testedFiles("policies/authz.rego", `client_id == "a"`, `client_id == "b"`)
	c, err := Of(context.Background(), packed(t, "v1", testedFiles(), asArchive), packed(t, "v2", now, asArchive),
		Options{Depth: Full})
	if err != nil {
		t.Fatal(err)
	}
	if c.Tests.Old.Passed != 5 || c.Tests.New.Failed != 4 || c.Tests.OldOnNew.Failed != 4 {
		t.Errorf("old %+v, new %+v, old on new %+v", c.Tests.Old, c.Tests.New, c.Tests.OldOnNew)
	}
	folder := versionOf(packed(t, "v2", now, asFolder))
	if c.New.Covers != "bundle" || c.New.Sources[0].Revision != "v2" || folder.Digest != c.New.Digest {
		t.Errorf("the archive is %+v, the folder %+v", c.New, folder)
	}
}
