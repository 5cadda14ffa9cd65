//go:build real

package realtest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// installed is a machine that gets the Debian package, and the authorization server that its sidecar asks.
type installed struct {
	machine
	server *devissuer.Server
	key    string // the secret of the sidecar, as a client
	token  string // good for GET /hello
}

// onDebian goes an operator's way: install, configure, start, rotate, upgrade, break, remove, purge.
func (rel release) onDebian(t *testing.T) {
	v := vault{}
	in := &installed{key: v.secret("secret of orders-api")}
	in.server = authserver.Start(t, devissuer.Config{ResourceServers: []devissuer.ResourceServer{
		{ID: "orders-api", Secret: secret.New(in.key), Audience: []string{"orders-api"}},
	}})
	in.token = authserver.Issue(t, in.server, devissuer.Grant{ClientID: "orders-app", Scopes: []string{"read"},
		Audience: []string{"orders-api"}})
	tree := debianTree(t)
	before := permanent(t, tree)
	_, _, deb, _ := rel.of("amd64")
	testkit.WriteFile(t, filepath.Join(tree, "sidecar.deb"), testkit.ReadFile(t, filepath.Join(rel.dir, deb)))
	in.machine = boot(t, tree)

	for _, step := range []struct {
		says string
		run  func(*testing.T)
	}{
		{"dpkg installs it, and starts nothing", in.install},
		{"a start without a configuration does nothing", in.startEmpty},
		{"init writes a configuration that the service may read", in.configure},
		{"the service decides, without rights", in.serve},
		{"logrotate opens the decision log again", in.rotate},
		{"a saved policy decides the next request", in.change},
		{"a process that is killed starts again", in.crash},
		{"a secret of root's is lent to the service", in.lendSecret},
		{"an upgrade restarts the service and keeps configuration", in.upgrade},
		{"policies that do not load end it for good", in.breakPolicies},
		{"remove stops it and keeps configuration", in.remove},
		{"purge leaves nothing", func(t *testing.T) { in.purge(t, before) }},
	} {
		if !t.Run(step.says, step.run) { // each needs what those before it did
			t.Fatal(in.do(t, "journalctl", "--no-pager", "--unit=sidecar", "--lines=20"))
		}
	}
}

func (in *installed) purge(t *testing.T, before map[string]bool) {
	in.do(t, "dpkg", "--purge", "sidecar")
	for name := range permanent(t, in.tree) {
		if !before[name] && name != "sidecar.deb" {
			t.Errorf("purge left /%s", name)
		}
	}
	if out, err := in.try("getent", "passwd", "sidecar"); err == nil {
		t.Errorf("purge left the user %s", out)
	}
}

// permanent are the files of a tree that outlive a boot, but for the records of systemd, dpkg, rpm and logrotate.
func permanent(t *testing.T, tree string) map[string]bool {
	t.Helper()
	files := map[string]bool{}
	err := fs.WalkDir(os.DirFS(tree), ".", func(name string, d fs.DirEntry, err error) error {
		switch name {
		case "proc", "sys", "dev", "run", "tmp", "mnt", "var/tmp", "var/log/journal", "var/lib/systemd",
			"var/lib/dpkg",
			"var/lib/logrotate", "var/lib/rpm", "var/cache":
			return fs.SkipDir
		}
		files[name] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (in *installed) install(t *testing.T) {
	if out := in.do(t, "dpkg", "--install", "/sidecar.deb"); !strings.Contains(out, "sidecar init --issuer") {
		t.Errorf("the installation does not say what comes next:\n%s", out)
	}
	if out, _ := in.try("systemctl", "is-enabled", "sidecar"); out != "disabled" {
		t.Errorf("the service is %s after the installation, want disabled", out)
	}
	if state := in.property(t, "ActiveState"); state != "inactive" {
		t.Errorf("the service is %s after the installation, want inactive", state)
	}
	if out := in.do(t, "dpkg", "--verify", "sidecar"); out != "" {
		t.Errorf("dpkg --verify: %s", out)
	}
	if out := in.do(t, "stat", "--format", "%A %U:%G", "/etc/sidecar"); out != "drwxr-x--- root:sidecar" {
		t.Errorf("/etc/sidecar is %s", out)
	}
	if out := in.do(t, "getent", "passwd", "sidecar"); !strings.HasSuffix(out, ":/nonexistent:/usr/sbin/nologin") {
		t.Errorf("the user is %s", out)
	}
	if out := in.do(t, "sidecar", "version"); !strings.Contains(out, "version: "+releaseVersion+"\n") {
		t.Errorf("sidecar version says\n%s", out)
	}
	// What /etc/dpkg of a small Debian leaves out of packages is in the package nevertheless.
	listed := strings.Split(in.do(t, "dpkg", "--listfiles", "sidecar"), "\n")
	for _, name := range []string{"/usr/share/man/man1/sidecar-serve.1.gz", "/usr/lib/sysusers.d/sidecar.conf",
		"/usr/share/bash-completion/completions/sidecar", "/usr/share/zsh/vendor-completions/_sidecar",
		"/usr/share/fish/vendor_completions.d/sidecar.fish", "/usr/share/doc/sidecar/copyright",
		"/usr/share/doc/sidecar/examples/sidecar.yaml", "/lib/systemd/system/sidecar.service"} {
		if !slices.Contains(listed, name) {
			t.Errorf("the package has no %s", name)
		}
	}
}

func (in *installed) startEmpty(t *testing.T) {
	in.do(t, "systemctl", "start", "sidecar")
	if state, met := in.property(t, "ActiveState"), in.property(t, "ConditionResult"); state != "inactive" ||
		met != "no" {
		t.Errorf("the service is %s, its condition is met: %s", state, met)
	}
}

// configure runs what docs/deploy.md says, at another authorization server and with listeners that are free anywhere.
func (in *installed) configure(t *testing.T) {
	in.override(t, "listeners", `Environment=SIDECAR_LISTEN_API_ADDRESS=unix:///run/sidecar/sidecar.sock?mode=0660
Environment=SIDECAR_LISTEN_ADMIN_ADDRESS=127.0.0.1:0
Environment=SIDECAR_DECISION_LOG_STDOUT=false SIDECAR_DECISION_LOG_FILE=/var/log/sidecar/decisions.jsonl
Environment=SIDECAR_ISSUERS_0_TIMEOUT=8s SIDECAR_ENGINE_DEADLINE=2s
`)
	in.write(t, "tmp/answers", in.key+"\norders-api\n")
	steps := shellBlock(t, "deploy.md", "systemd", 0)
	said := strings.ReplaceAll(steps, "https://login.acme.example", in.server.Issuer())
	if said == steps {
		t.Fatalf("docs/deploy.md does not run init for the example's server:\n%s", steps)
	}
	in.do(t, "sh", "-e", "-c", strings.Replace(said, "--dir /etc/sidecar", "--dir /etc/sidecar </tmp/answers", 1))
}

// shellBlock is a block of shell commands of a page of docs, counted from 0 after its heading.
func shellBlock(t *testing.T, page, heading string, n int) string {
	t.Helper()
	_, after, found := strings.Cut(testkit.ReadFile(t, filepath.Join("../../docs", page)), "\n## "+heading+"\n")
	blocks := strings.Split(after, "\n```sh\n")
	if !found || len(blocks) < n+2 {
		t.Fatalf("docs/%s has no block %d of commands below %q", page, n, heading)
	}
	block, _, _ := strings.Cut(blocks[n+1], "\n```")
	return block
}

// override is what operators write by "systemctl edit sidecar".
func (in *installed) override(t *testing.T, name, settings string) {
	t.Helper()
	in.write(t, "etc/systemd/system/sidecar.service.d/"+name+".conf", "[Service]\n"+settings)
	in.do(t, "systemctl", "daemon-reload")
}

// await waits until the service answers at its Unix socket.
func (in *installed) await(t *testing.T) {
	t.Helper()
	testkit.Within(t, time.Minute, "the service is ready", func() bool {
		resp, err := in.client().Get("http://sidecar/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// client asks the sidecar over the socket in its runtime directory.
func (in *installed) client() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", in.path("run/sidecar/sidecar.sock"))
		}}}
}

// asked is the kind of the decision about a request for a path.
func (in *installed) asked(t *testing.T, path string) string {
	t.Helper()
	body := fmt.Sprintf(`{"request": {"method": "GET", "url": %q, "headers": {"authorization": ["Bearer %s"]}}}`, path,
		in.token)
	resp, err := in.client().Post("http://sidecar/v1/decisions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	_, kind, _ := strings.Cut(answer.String(), `"kind":"`)
	kind, _, _ = strings.Cut(kind, `"`)
	return kind
}

func (in *installed) wantAllow(t *testing.T, path string) {
	t.Helper()
	if kind := in.asked(t, path); kind != "allow" {
		t.Fatalf("GET %s: %s, want allow", path, kind)
	}
}
