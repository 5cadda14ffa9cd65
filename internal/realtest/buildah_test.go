//go:build real

package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// builder is buildah with a storage of its own, which goes when the test ends.
type builder struct{ program, store, state string }

func newBuilder(t *testing.T) builder {
	t.Helper()
	program := tool(t, "buildah", "apt-get install buildah")
	if os.Getuid() != 0 {
		t.Fatal("buildah needs root here: it makes a file tree and changes into it")
	}
	dir := t.TempDir()
	b := builder{program, filepath.Join(dir, "store"), filepath.Join(dir, "state")}
	t.Cleanup(func() {
		for _, args := range [][]string{{"rm", "--all"}, {"rmi", "--all", "--force"}} {
			if out, err := exec.Command(program, b.global(args)...).CombinedOutput(); err != nil {
				t.Errorf("clean the storage of buildah: %v\n%s", err, tail(string(out)))
			}
		}
	})
	return b
}

func (b builder) global(args []string) []string {
	return append([]string{"--root", b.store, "--runroot", b.state, "--storage-driver", "vfs"}, args...)
}

// do runs one command of buildah and returns what it printed, without the last newline.
func (b builder) do(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(command(t, 10*time.Minute, "", b.program, b.global(args)...))
}

// baseImage makes an image of the local Go toolchain, under the name the Dockerfile builds from: a shell, the
// certificates of this machine and Go are all that its build stage uses.
func (b builder) baseImage(t *testing.T, name string) {
	t.Helper()
	tree := t.TempDir()
	for _, dir := range []string{"tmp", "root", "go"} {
		if err := os.Mkdir(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range append(librariesOf(t, "/bin/sh"), "/bin/sh", "/etc/ssl/certs/ca-certificates.crt") {
		to := filepath.Join(tree, file)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(testkit.ReadFile(t, file)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	goRoot := goEnv(t, "GOROOT")
	c := b.do(t, "from", "scratch")
	b.do(t, "copy", "--quiet", c, tree, "/")
	for _, part := range []string{"bin", "pkg", "src", "lib", "go.env", "VERSION"} {
		b.do(t, "copy", "--quiet", c, filepath.Join(goRoot, part), "/usr/local/go/"+part)
	}
	b.do(t, "config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "HOME=/root", "--env", "GOPATH=/go",
		"--env", "GOPROXY="+goEnv(t, "GOPROXY"), "--env", "GOSUMDB="+goEnv(t, "GOSUMDB"), c)
	b.do(t, "commit", "--quiet", "--disable-compression", c, name)
	b.do(t, "rm", c)
}

// librariesOf lists the files that a program loads, the loader among them.
func librariesOf(t *testing.T, program string) []string {
	t.Helper()
	var files []string
	for _, word := range strings.Fields(command(t, 5*time.Minute, "", tool(t, "ldd", "install libc-bin"), program)) {
		if filepath.IsAbs(word) {
			files = append(files, word)
		}
	}
	if len(files) == 0 {
		t.Fatalf("ldd %s: it names no file", program)
	}
	return files
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(command(t, 5*time.Minute, "", "go", "env", name))
}

// build builds the repository's Dockerfile for platforms, as a list of images with one name. The caches
// of this machine are lent to the build stage, to save time; it fetches what they do not hold.
func (b builder) build(t *testing.T, repository, list string, platforms ...string) {
	t.Helper()
	compiling.Lock()
	defer compiling.Unlock()
	b.do(t, "bud", "--isolation", "chroot", "--format", "docker", "--pull-never",
		"--volume", goEnv(t, "GOMODCACHE")+":/go/pkg/mod", "--volume", goEnv(t, "GOCACHE")+":/root/.cache/go-build",
		// Docker sets BUILDPLATFORM, and so do newer versions of buildah than Debian's.
		"--build-arg", "BUILDPLATFORM=linux/"+runtime.GOARCH,
		"--build-arg", "VERSION="+imageVersion, "--build-arg", "COMMIT="+imageCommit,
		"--platform", strings.Join(platforms, ","), "--manifest", list, repository)
}
