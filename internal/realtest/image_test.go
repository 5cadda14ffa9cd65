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
	imageTag = "localhost/sidecar:realtest"
	nonRoot  = 65532
)

// image is the built image, and a container of it that its file tree can be read from.
type image struct {
	tree string
	conf struct {
		User        string
		Entrypoint  []string
		Cmd         []string
		Healthcheck struct{ Test []string }
	}
}

// TestImage builds the Dockerfile and runs what it makes, as the user that the image names.
func TestImage(t *testing.T) {
	b := newBuilder(t)
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b.baseImage(t, baseName(t, repository))
	b.build(t, repository, imageTag)
	img := openImage(t, b)

	t.Run("it holds the sidecar, policies and certificates, and nothing else", img.checkFiles)
	t.Run("the binary needs no loader and no library", img.checkStatic)
	t.Run("it runs as a user without rights", func(t *testing.T) {
		if want := fmt.Sprintf("%d:%d", nonRoot, nonRoot); img.conf.User != want {
			t.Errorf("the user is %q, want %q", img.conf.User, want)
		}
	})
	t.Run("it decides by its own policies and answers its own health check", img.serve)
	t.Logf("the image has %s, the binary %.1f MB", b.do(t, "images", "--noheading", "--format", "{{.Size}}", imageTag),
		img.binaryMB(t))
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

func openImage(t *testing.T, b builder) *image {
	t.Helper()
	var inspected struct {
		Docker struct {
			Config jsontext.Value `json:"config"`
		}
	}
	img := &image{}
	err := json.Unmarshal([]byte(b.do(t, "inspect", "--type", "image", imageTag)), &inspected)
	if err == nil {
		err = json.Unmarshal(inspected.Docker.Config, &img.conf)
	}
	if err != nil {
		t.Fatalf("inspect the image: %v", err)
	}
	img.tree = b.do(t, "mount", b.do(t, "from", "--pull-never", imageTag))
	return img
}

func (img *image) checkFiles(t *testing.T) {
	var binaries, policies, certificates int
	err := fs.WalkDir(os.DirFS(img.tree), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case name == "sidecar":
			binaries++
		case name == "etc/ssl/certs/ca-certificates.crt":
			certificates++
		case strings.HasPrefix(name, "policies/"):
			policies++
		default:
			t.Errorf("the image holds %s", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if binaries != 1 || certificates != 1 || policies == 0 {
		t.Errorf("the image holds %d binaries, %d files of certificates and %d of policies", binaries, certificates,
			policies)
	}
}

func (img *image) checkStatic(t *testing.T) {
	f, err := elf.Open(filepath.Join(img.tree, "sidecar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
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
	cmd.Env = []string{}
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
	testkit.WriteFile(t, filepath.Join(img.tree, "etc", "sidecar", "sidecar.yaml"), fmt.Sprintf(`
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
policies: {paths: [/policies]}
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
