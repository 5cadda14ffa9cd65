//go:build real

package realtest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

const (
	imageTag     = "localhost/sidecar:realtest"
	imageVersion = "1.0.0"
	imageCommit  = "0123456789ab"
	nonRoot      = 65532
)

// machines are the architectures that the image is built for, as a file of theirs names them.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// image is the built image of one architecture, and a container of it that its file tree can be read from.
type image struct {
	arch, tree string
	conf       struct {
		User        string
		Env         []string
		Entrypoint  []string
		Cmd         []string
		Labels      map[string]string
		Healthcheck struct{ Test []string }
	}
}

// TestImage builds the Dockerfile for both architectures and runs what it makes for this machine's, as the user that
// the image names.
func TestImage(t *testing.T) {
	t.Parallel()
	b := newBuilder(t)
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b.baseImage(t, baseName(t, repository))
	b.build(t, repository, imageTag, "linux/amd64", "linux/arm64")
	for arch := range machines {
		img := openImage(t, b, arch)
		t.Run("it holds the sidecar and certificates, and nothing else, for "+arch, img.checkFiles)
		t.Run("the binary needs no loader and no library, for "+arch, img.checkStatic)
		t.Run("it says what it is and runs as a user without rights, for "+arch, img.checkConfig)
		t.Logf("the image has a binary of %.1f MB for %s", img.binaryMB(t), arch)
		if arch == runtime.GOARCH {
			t.Run("it decides by mounted policies and answers its own health check", img.serve)
		}
	}
}

// baseName is the image that the build stage of the Dockerfile is made from.
func baseName(t *testing.T, repository string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^ARG GO_IMAGE=(\S+)$`).FindSubmatch([]byte(testkit.ReadFile(t,
		filepath.Join(repository, "Dockerfile"))))
	if m == nil {
		t.Fatal("the Dockerfile has no line ARG GO_IMAGE=...")
	}
	return string(m[1])
}

func openImage(t *testing.T, b builder, arch string) *image {
	t.Helper()
	var inspected struct {
		Docker struct {
			Architecture string         `json:"architecture"`
			Config       jsontext.Value `json:"config"`
		}
	}
	img := &image{arch: arch}
	container := b.do(t, "from", "--pull-never", "--arch", arch, imageTag)
	err := json.Unmarshal([]byte(b.do(t, "inspect", "--type", "container", container)), &inspected)
	if err == nil {
		err = json.Unmarshal(inspected.Docker.Config, &img.conf)
	}
	if err != nil {
		t.Fatalf("inspect the image: %v", err)
	}
	if inspected.Docker.Architecture != arch {
		t.Errorf("the image is for %q, want %q", inspected.Docker.Architecture, arch)
	}
	img.tree = b.do(t, "mount", container)
	return img
}

func (img *image) checkConfig(t *testing.T) {
	if want := fmt.Sprintf("%d:%d", nonRoot, nonRoot); img.conf.User != want {
		t.Errorf("the user is %q, want %q", img.conf.User, want)
	}
	for label, want := range map[string]string{"version": imageVersion, "revision": imageCommit,
		"licenses": "Apache-2.0", "source": "https://github.com/authz-sidecar/sidecar"} {
		if got := img.conf.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("the label %s is %q, want %q", label, got, want)
		}
	}
}

func (img *image) checkFiles(t *testing.T) {
	want := []string{"etc/ssl/certs/ca-certificates.crt", "sidecar"}
	var held []string
	err := fs.WalkDir(os.DirFS(img.tree), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			held = append(held, name)
		}
		return err
	})
	if err != nil || !slices.Equal(held, want) {
		t.Errorf("the image holds %q, %v, want %q", held, err, want)
	}
}

func (img *image) checkStatic(t *testing.T) {
	f, err := elf.Open(filepath.Join(img.tree, "sidecar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machines[img.arch] {
		t.Errorf("the binary is for %v, want %v", f.Machine, machines[img.arch])
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary asks for a loader")
		}
	}
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the binary needs %v, %v", libraries, err)
	}
}

func (img *image) binaryMB(t *testing.T) float64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(img.tree, "sidecar"))
	if err != nil {
		t.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}

// command is a program of the image, in its file tree and as its user.
func (img *image) command(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = slices.Clone(img.conf.Env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: img.tree,
		Credential: &syscall.Credential{Uid: nonRoot, Gid: nonRoot}}
	return cmd
}

func (img *image) serve(t *testing.T) {
	v := vault{}
	key := v.secret("secret of orders-api")
	as := authserver.Start(t, devissuer.Config{ResourceServers: []devissuer.ResourceServer{
		{ID: "orders-api", Secret: secret.New(key), Audience: []string{"orders-api"}},
	}})
	grant := devissuer.Grant{ClientID: "orders-app", Scopes: []string{"orders:read"}, Audience: []string{"orders-api"},
		Tenant: "acme"}
	token, err := as.Issue(grant)
	if err != nil {
		t.Fatal(err)
	}
	v.keep("access token", token)

	// What operators mount into the image.
	etc := filepath.Join(img.tree, "etc", "sidecar")
	if err := os.CopyFS(filepath.Join(etc, "policies"), os.DirFS("../../policies")); err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, filepath.Join(etc, "sidecar.yaml"), fmt.Sprintf(`
listen:
  api: {address: "127.0.0.1:0"}
  admin: {address: "127.0.0.1:0"}
issuers:
  - name: development
    issuer: %q
    allow_insecure_http: true
    client: {id: orders-api, secret: {env: CLIENT_SECRET}}
    audience: [orders-api]
    tenant: [/tenant]
    timeout: 8s
policies: {paths: [policies]}
engine: {deadline: 2s}
decision_log: {stdout: true}
telemetry: {log: {level: debug, format: json}}
`, as.Issuer()))
	cmd := img.command(slices.Concat(img.conf.Entrypoint, img.conf.Cmd)...)
	cmd.Env = append(cmd.Env, "CLIENT_SECRET="+key)
	sc := &sidecar{}
	sc.run(t, v, cmd)

	checkOwner(t, sc.cmd.Process.Pid)
	if a := sc.decide(t, get(token)); a.String() != "allow 200" {
		t.Errorf("a good token: %s, want allow 200", a)
	}
	if a := sc.decide(t, question{token, "POST", "/orders", "acme"}); a.String() != "deny 403 insufficient_scope" {
		t.Errorf("a scope that is missing: %s, want deny 403 insufficient_scope", a)
	}
	img.checkHealth(t, sc)
}

// checkHealth runs the health check of the image while the sidecar serves, and when it no longer does.
func (img *image) checkHealth(t *testing.T, sc *sidecar) {
	t.Helper()
	check := img.conf.Healthcheck.Test
	if len(check) < 2 || check[0] != "CMD" {
		t.Fatalf("the health check is %q, want one without a shell", check)
	}
	// The listeners have free ports here, and the health check knows the usual one.
	check = append(slices.Clone(check[1:]), "--url", sc.api+"/readyz")
	if out, err := img.command(check...).CombinedOutput(); err != nil {
		t.Errorf("the health check fails on a sidecar that serves: %v\n%s", err, out)
	}
	check[len(check)-1] = fmt.Sprintf("http://127.0.0.1:%d/readyz", freePort(t))
	if err := img.command(check...).Run(); err == nil {
		t.Error("the health check succeeds where nothing serves")
	}
}

// checkOwner reads from the kernel as whom a process runs.
func checkOwner(t *testing.T, pid int) {
	t.Helper()
	status := []byte(testkit.ReadFile(t, filepath.Join("/proc", strconv.Itoa(pid), "status")))
	want := strings.Repeat(fmt.Sprintf("\t%d", nonRoot), 4)
	for _, field := range []string{"Uid:", "Gid:"} {
		if !bytes.Contains(status, []byte(field+want+"\n")) {
			t.Errorf("the process does not run with %s%s", field, want)
		}
	}
}
