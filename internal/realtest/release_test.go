//go:build real

package realtest

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	releaseVersion = "1.0.0"
	releaseCommit  = "0123456789ab"
)

// release is what deploy/release.sh makes for Linux, in a directory.
type release struct{ dir string }

// TestRelease makes a release of this checkout, and uses each part of it as its readers do.
func TestRelease(t *testing.T) {
	t.Parallel()
	rel := makeRelease(t, "linux/amd64", "linux/arm64")
	t.Run("it has archives, packages, SBOMs and checksums", rel.checkNames)
	t.Run("the checksums are those of the files", rel.checkSums)
	t.Run("a second run gives equal bytes", rel.checkAgain)
	t.Run("an archive holds all that a user needs", rel.checkArchives)
	t.Run("an SBOM names each module of its binary", rel.checkSBOMs)
	t.Run("packages are for the architecture of their name", rel.checkPackages)
	t.Run("the Debian package is as Debian's policy has it", rel.checkPolicy)
	t.Run("the Debian package serves, and goes", rel.onDebian)
	t.Run("the RPM installs, and goes", rel.byRPM)
}

// compiling is held while the sidecar is compiled for other machines: the second to do so finds in Go's cache what the
// first has compiled, and at once both would compile it all.
var compiling sync.Mutex

func makeRelease(t *testing.T, platforms ...string) release {
	t.Helper()
	tool(t, "git", "apt-get install git")
	rel := release{filepath.Join(t.TempDir(), "dist")}
	compiling.Lock()
	defer compiling.Unlock()
	// Tests of load run beside this.
	cmd := exec.Command("nice", "../../deploy/release.sh")
	cmd.Env = append(os.Environ(), "PLATFORMS="+strings.Join(platforms, " "), "DIST="+rel.dir,
		"VERSION="+releaseVersion, "COMMIT="+releaseCommit)
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make the release: %v\n%s", err, tail(string(out)))
	}
	t.Logf("the release for %v is made after %v", platforms, time.Since(begun).Round(time.Second))
	return rel
}

// of are the names of the files for an architecture, as Go, dpkg and rpm call it.
func (rel release) of(arch string) (archive, sbom, deb, rpm string) {
	stem := "sidecar_" + releaseVersion + "_linux_" + arch
	return stem + ".tar.gz", stem + ".cdx.json", "sidecar_" + releaseVersion + "-1_" + arch + ".deb",
		"sidecar-" + releaseVersion + "-1." + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch] + ".rpm"
}

func (rel release) checkNames(t *testing.T) {
	want := []string{"checksums.txt"}
	for _, arch := range []string{"amd64", "arm64"} {
		archive, sbom, deb, rpm := rel.of(arch)
		want = append(want, archive, sbom, deb, rpm)
	}
	slices.Sort(want)
	if got := namesIn(t, rel.dir); !slices.Equal(got, want) {
		t.Errorf("the release has %q, want %q", got, want)
	}
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// sums are the checksums of checksums.txt, by the names of the files.
func (rel release) sums(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(testkit.ReadFile(t, filepath.Join(rel.dir, "checksums.txt"))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	return sums
}

func (rel release) checkSums(t *testing.T) {
	command(t, 5*time.Minute, rel.dir, tool(t, "sha256sum", "apt-get install coreutils"), "--check", "--strict",
		"--quiet", "checksums.txt")
	if got, want := len(rel.sums(t)), len(namesIn(t, rel.dir))-1; got != want {
		t.Errorf("checksums.txt has %d lines, want one for each of %d files", got, want)
	}
}

func (rel release) checkAgain(t *testing.T) {
	again := makeRelease(t, "linux/amd64").sums(t)
	first := rel.sums(t)
	for name, sum := range again {
		if first[name] != sum {
			t.Errorf("%s has other bytes in a second run", name)
		}
	}
	if len(again) != len(first)/2 {
		t.Errorf("the second run made %d files, want %d", len(again), len(first)/2)
	}
}

// unpacked are the files of an archive, by their names below its one folder.
func (rel release) unpacked(t *testing.T, name string) map[string]*tar.Header {
	t.Helper()
	f, err := os.Open(filepath.Join(rel.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*tar.Header{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		folder, file, _ := strings.Cut(h.Name, "/")
		if folder != strings.TrimSuffix(name, ".tar.gz") {
			t.Errorf("%s holds %s, beside its folder", name, h.Name)
		}
		if h.Typeflag == tar.TypeReg {
			files[file] = h
		}
	}
}

func (rel release) checkArchives(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		archive, _, _, _ := rel.of(arch)
		files := rel.unpacked(t, archive)
		for _, want := range []string{"sidecar", "LICENSE", "README.md", "sidecar.example.yaml", "man/sidecar.1",
			"man/sidecar-serve.1", "completions/sidecar.bash", "completions/_sidecar", "completions/sidecar.fish"} {
			if h := files[want]; h == nil || h.Size == 0 {
				t.Errorf("%s holds no %s", archive, want)
			}
		}
		for name, h := range files {
			mode := int64(0o644)
			if name == "sidecar" {
				mode = 0o755
			}
			if h.Mode != mode || h.Uid != 0 || h.Gid != 0 {
				t.Errorf("%s holds %s with mode %o of %d:%d, want %o of 0:0", archive, name, h.Mode, h.Uid, h.Gid,
					mode)
			}
		}
	}
	rel.checkDocs(t)
}

// checkDocs runs what docs/install.md says of a download, but for the copy into /usr/local.
func (rel release) checkDocs(t *testing.T) {
	t.Helper()
	archive, _, _, _ := rel.of("amd64")
	dir := t.TempDir()
	for _, name := range []string{archive, "checksums.txt"} {
		testkit.WriteFile(t, filepath.Join(dir, name), testkit.ReadFile(t, filepath.Join(rel.dir, name)))
	}
	steps := "version=" + releaseVersion + " platform=linux_amd64\nsudo() { :; }\n" +
		strings.Replace(shellBlock(t, "install.md", "Archive", 1), "\nsidecar ", "\n./sidecar_*/sidecar ", 1)
	out := command(t, 5*time.Minute, dir, "sh", "-e", "-c", steps)
	if !strings.Contains(out, "version: "+releaseVersion+"\ncommit:  "+releaseCommit+"\n") {
		t.Errorf("the commands of docs/install.md say\n%s", out)
	}
}

// checkSBOMs compares each SBOM with what the linker wrote into the binary, and has the schema that CycloneDX
// publishes judge it.
func (rel release) checkSBOMs(t *testing.T) {
	python := filepath.Join(pythonEnvironment(t, "cyclonedx"), "bin", "python")
	for _, arch := range []string{"amd64", "arm64"} {
		archive, name, _, _ := rel.of(arch)
		var sbom struct {
			Components []struct{ Name, Version string }
		}
		command(t, 5*time.Minute, rel.dir, python, absolute(t, "testdata/cyclonedx/validate.py"), name)
		raw := testkit.ReadFile(t, filepath.Join(rel.dir, name))
		if err := json.Unmarshal([]byte(raw), &sbom, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		listed := map[string]string{}
		for _, c := range sbom.Components {
			listed[c.Name] = c.Version
		}
		dir := t.TempDir()
		command(t, 5*time.Minute, dir, "tar", "--extract", "--strip-components=1", "--file",
			filepath.Join(rel.dir, archive))
		info, err := buildinfo.ReadFile(filepath.Join(dir, "sidecar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range info.Deps {
			if listed[m.Path] != m.Version {
				t.Errorf("%s says %q of %s, which is in the binary at %s", name, listed[m.Path], m.Path, m.Version)
			}
		}
		if want := len(info.Deps) + 1; len(listed) != want { // the standard library is one more
			t.Errorf("%s names %d modules, want %d", name, len(listed), want)
		}
	}
}

func (rel release) checkPackages(t *testing.T) {
	for arch, machine := range map[string]string{"amd64": "x86_64", "arm64": "aarch64"} {
		_, _, deb, rpm := rel.of(arch)
		got := command(t, 5*time.Minute, rel.dir, "dpkg-deb", "--field", deb, "Architecture")
		if strings.TrimSpace(got) != arch {
			t.Errorf("%s is for %s", deb, got)
		}
		got = command(t, 5*time.Minute, rel.dir, tool(t, "rpm", "apt-get install rpm"), "--query", "--package",
			"--queryformat", "%{ARCH}", rpm)
		if got != machine {
			t.Errorf("%s is for %s", rpm, got)
		}
	}
}

func (rel release) checkPolicy(t *testing.T) {
	_, _, deb, _ := rel.of("amd64")
	says := command(t, 5*time.Minute, rel.dir, tool(t, "lintian", "apt-get install lintian"), "--fail-on",
		"error,warning", deb)
	if says != "" {
		t.Errorf("lintian says of %s:\n%s", deb, says)
	}
}
