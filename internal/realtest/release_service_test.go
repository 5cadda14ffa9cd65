//go:build real

package realtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// serve asks the unit as it is packaged.
func (in *installed) serve(t *testing.T) {
	in.await(t)
	in.wantAllow(t, "/hello")
	if kind := in.asked(t, "/goodbye"); kind != "deny" {
		t.Errorf("a path that is no route: %s, want deny", kind)
	}
	status := in.do(t, "cat", "/proc/"+in.property(t, "MainPID")+"/status")
	id := in.do(t, "id", "--user", "sidecar")
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000",
		"CapEff:\t0000000000000000", "Uid:\t" + strings.Join([]string{id, id, id, id}, "\t")} {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("the process has no %q:\n%s", want, status)
		}
	}
	for name, want := range map[string]string{"/run/sidecar/sidecar.sock": "srw-rw---- sidecar:sidecar",
		"/var/log/sidecar": "drwxr-x--- sidecar:sidecar", "/var/log/sidecar/decisions.jsonl": "-rw------- " +
			"sidecar:sidecar"} {
		if got := in.do(t, "stat", "--format", "%A %U:%G", name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if out := in.do(t, "systemd-analyze", "verify", "sidecar.service"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	out := in.do(t, "systemd-analyze", "security", "--threshold=15", "--no-pager", "sidecar.service")
	t.Logf("systemd-analyze security: %s", out[strings.LastIndex(out, "\n")+1:])
}

func (in *installed) rotate(t *testing.T) {
	log := filepath.Join(in.tree, "var/log/sidecar/decisions.jsonl")
	testkit.Eventually(t, "the log has the decisions", func() bool { return decisionsIn(log) == 2 })
	in.do(t, "logrotate", "--force", "/etc/logrotate.d/sidecar")
	testkit.Eventually(t, "the log is opened again", func() bool { _, err := os.Stat(log); return err == nil })
	in.wantAllow(t, "/hello")
	testkit.Eventually(t, "the new file has the decision", func() bool { return decisionsIn(log) == 1 })
	if kept := decisionsIn(log + ".1"); kept != 2 {
		t.Errorf("the rotated log has %d decisions, want 2", kept)
	}
}

// decisionsIn counts the whole lines of a decision log.
func decisionsIn(name string) int {
	log, _ := os.ReadFile(name)
	return bytes.Count(log, []byte("\n"))
}

func (in *installed) change(t *testing.T) {
	name := "etc/sidecar/policies/routes/data.yaml"
	in.write(t, name, testkit.ReadFile(t, filepath.Join(in.tree, name))+`
/goodbye:
  GET: {id: read_goodbye, scopes: [read], audience: [orders-api], tenant: none}
`)
	testkit.Within(t, time.Minute, "the route is there", func() bool { return in.asked(t, "/goodbye") == "allow" })
}

func (in *installed) crash(t *testing.T) {
	pid := in.property(t, "MainPID")
	in.do(t, "systemctl", "kill", "--signal=KILL", "sidecar")
	in.awaitRestart(t, pid)
}

// awaitRestart waits until the service is ready in another process than pid.
func (in *installed) awaitRestart(t *testing.T, pid string) {
	t.Helper()
	testkit.Within(t, time.Minute, "another process serves", func() bool {
		now := in.property(t, "MainPID")
		return now != "0" && now != pid
	})
	in.await(t)
	in.wantAllow(t, "/hello")
}

func (in *installed) lendSecret(t *testing.T) {
	in.do(t, "chown", "root:", "/etc/sidecar/client-secret")
	in.override(t, "secret", `LoadCredential=client-secret:/etc/sidecar/client-secret
Environment=SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE=/run/credentials/sidecar.service/client-secret
`)
	in.do(t, "systemctl", "restart", "sidecar")
	in.await(t)
	in.wantAllow(t, "/hello")
}

func (in *installed) upgrade(t *testing.T) {
	changed := map[string]string{}
	for _, name := range []string{"etc/sidecar/sidecar.yaml", "etc/logrotate.d/sidecar"} {
		changed[name] = testkit.ReadFile(t, filepath.Join(in.tree, name)) + "# changed by the operator\n"
		in.write(t, name, changed[name])
	}
	pid := in.property(t, "MainPID")
	in.do(t, "dpkg", "--install", "/sidecar.deb")
	in.awaitRestart(t, pid)
	for name, want := range changed {
		if testkit.ReadFile(t, filepath.Join(in.tree, name)) != want {
			t.Errorf("the upgrade changed /%s", name)
		}
	}
	in.do(t, "systemctl", "stop", "sidecar")
	in.do(t, "dpkg", "--install", "/sidecar.deb")
	if state := in.property(t, "ActiveState"); state != "inactive" {
		t.Errorf("the service is %s after the upgrade of one that was stopped, want inactive", state)
	}
	if out := in.do(t, "systemctl", "is-enabled", "sidecar"); out != "enabled" {
		t.Errorf("the service is %s after the upgrade, want enabled", out)
	}
}

func (in *installed) breakPolicies(t *testing.T) {
	name := "etc/sidecar/policies/authz/decision.rego"
	good := testkit.ReadFile(t, filepath.Join(in.tree, name))
	in.write(t, name, "package authz\n\ndecision if input.token.actve\n")
	_, _ = in.try("systemctl", "restart", "sidecar") // it may see the end of the process, or only its start
	testkit.Within(t, time.Minute, "it has failed", func() bool { return in.property(t, "ActiveState") == "failed" })
	if status, starts := in.property(t, "ExecMainStatus"), in.property(t, "NRestarts"); status != "3" ||
		starts != "0" {
		t.Errorf("exit status %s after %s restarts, want 3 after none", status, starts)
	}
	in.write(t, name, good)
	in.do(t, "systemctl", "start", "sidecar")
	in.await(t)
}

func (in *installed) remove(t *testing.T) {
	pid := in.property(t, "MainPID")
	in.do(t, "rm", "--recursive", "/etc/systemd/system/sidecar.service.d") // the operator's own
	in.do(t, "dpkg", "--remove", "sidecar")
	if _, err := in.try("test", "-d", "/proc/"+pid); err == nil {
		t.Error("the process is there after the removal")
	}
	in.do(t, "test", "-s", "/etc/sidecar/sidecar.yaml")
}
