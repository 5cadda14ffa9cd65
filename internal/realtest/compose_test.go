//go:build real

package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// project is a compose file as compose-go, the reader of docker compose, understands it.
type project struct {
	Networks map[string]struct{ Internal bool }
	Services map[string]struct {
		Ports []struct {
			HostIP string `json:"host_ip"`
		}
		Networks  map[string]any
		DependsOn map[string]struct{ Condition string } `json:"depends_on"`
		ReadOnly  bool                                  `json:"read_only"`
		CapDrop   []string                              `json:"cap_drop"`
		Health    struct{ Test []string }               `json:"healthcheck"`
		Volumes   []struct {
			Source, Target string
			ReadOnly       bool `json:"read_only"`
		}
		Secrets []struct{ Source string }
	}
}

// TestComposeFile reads deploy/compose as docker compose does, and serves its configuration in a network of its own.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	folder := absolute(t, "../../deploy/compose")
	var p project
	out := command(t, 5*time.Minute, "", goProgram(t, "compose"), filepath.Join(folder, "compose.yaml"))
	if err := json.Unmarshal([]byte(out), &p, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	t.Run("only the application is reached from outside, and the sidecar by it alone", p.checkNetworks)
	t.Run("the sidecar has no rights and a root that it cannot write", p.checkRights)
	t.Run("its folder is the configuration, and sound", func(t *testing.T) { p.serve(t, folder) })
}

func (p project) checkNetworks(t *testing.T) {
	if n := len(p.Services["sidecar"].Ports); n != 0 {
		t.Errorf("the sidecar publishes %d ports", n)
	}
	if !p.Networks["decisions"].Internal {
		t.Error("the network of application and sidecar leads elsewhere")
	}
	for name := range p.Services["sidecar"].Networks {
		if _, shared := p.Services["orders"].Networks[name]; shared != (name == "decisions") {
			t.Errorf("the network %s: shared with the application is %v", name, shared)
		}
	}
	if got := p.Services["orders"].DependsOn["sidecar"].Condition; got != "service_healthy" {
		t.Errorf("the application starts when the sidecar is %q, want service_healthy", got)
	}
}

func (p project) checkRights(t *testing.T) {
	s := p.Services["sidecar"]
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
		t.Errorf("read_only is %v, cap_drop is %q", s.ReadOnly, s.CapDrop)
	}
	if len(s.Volumes) != 1 || s.Volumes[0].Target != "/etc/sidecar" || !s.Volumes[0].ReadOnly {
		t.Errorf("the volumes are %+v, want /etc/sidecar alone, read only", s.Volumes)
	}
	if len(s.Secrets) != 1 {
		t.Errorf("the secrets are %+v, want that of the client", s.Secrets)
	}
}

// serve checks and serves the folder that is mounted, at the very addresses that it names, and runs the health check.
func (p project) serve(t *testing.T, folder string) {
	secret := "SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE=" + testkit.TempFile(t, "client-secret", "placeholder\n")
	config := filepath.Join(p.Services["sidecar"].Volumes[0].Source, "sidecar.yaml")
	if want := filepath.Join(folder, "sidecar", "sidecar.yaml"); config != want {
		t.Fatalf("the configuration is %s, want %s", config, want)
	}
	with := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Env = append(os.Environ(), secret, "SIDECAR_CONFIG="+config)
		return cmd
	}
	if out, err := with(exec.Command(binary, "check", "--strict")).CombinedOutput(); err != nil {
		t.Fatalf("sidecar check: %v\n%s", err, out)
	}
	inside := `ip link set lo up && exec "$1" serve`
	unshare := tool(t, "unshare", "apt-get install util-linux")
	served := start(t, "sidecar", with(exec.Command(unshare, "--net", "sh", "-c", inside, "sh", binary)))
	health := append([]string{"--net", "--target", strconv.Itoa(served.cmd.Process.Pid), binary},
		p.Services["sidecar"].Health.Test[2:]...)
	served.await(t, time.Minute, func() bool { return with(exec.Command("nsenter", health...)).Run() == nil })
}
