//go:build real

package realtest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// workload is what the manifests say, as far as the tests look at it.
type workload struct {
	pod      podSpec
	sidecar  container
	app      container
	maps     map[string]map[string]string // files of ConfigMaps, by the name of the map
	ingress  []port
	monitors []string // names of ports
}

type podSpec struct {
	InitContainers  []container `json:"initContainers"`
	Containers      []container `json:"containers"`
	Volumes         []volume    `json:"volumes"`
	GracePeriod     int         `json:"terminationGracePeriodSeconds"`
	SecurityContext struct {
		FSGroup uint32 `json:"fsGroup"`
	} `json:"securityContext"`
}

type container struct {
	Name            string   `json:"name"`
	RestartPolicy   string   `json:"restartPolicy"`
	Args            []string `json:"args"`
	Ports           []port   `json:"ports"`
	StartupProbe    probe    `json:"startupProbe"`
	ReadinessProbe  probe    `json:"readinessProbe"`
	LivenessProbe   probe    `json:"livenessProbe"`
	SecurityContext struct {
		User  uint32 `json:"runAsUser"`
		Group uint32 `json:"runAsGroup"`
	} `json:"securityContext"`
	VolumeMounts []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
		SubPath   string `json:"subPath"`
	} `json:"volumeMounts"`
	Env       []variable `json:"env"`
	Lifecycle struct {
		PreStop struct {
			Sleep struct {
				Seconds int `json:"seconds"`
			} `json:"sleep"`
		} `json:"preStop"`
	} `json:"lifecycle"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type port struct {
	Name          string `json:"name"`
	ContainerPort int    `json:"containerPort"`
	Port          int    `json:"port"`
}

type probe struct {
	Exec struct {
		Command []string `json:"command"`
	} `json:"exec"`
	Timeout int `json:"timeoutSeconds"`
}

type volume struct {
	Name      string `json:"name"`
	ConfigMap struct {
		Name string `json:"name"`
	} `json:"configMap"`
	Secret struct {
		Name string      `json:"secretName"`
		Mode os.FileMode `json:"defaultMode"`
	} `json:"secret"`
}

func readWorkload(t *testing.T, objects [][]byte) *workload {
	t.Helper()
	w := &workload{maps: map[string]map[string]string{}}
	for _, text := range objects {
		var o struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Data map[string]string `json:"data"`
			Spec struct {
				Template struct {
					Spec podSpec `json:"spec"`
				} `json:"template"`
				Ingress []struct {
					Ports []port `json:"ports"`
				} `json:"ingress"`
				Endpoints []struct {
					Port string `json:"port"`
				} `json:"podMetricsEndpoints"`
			} `json:"spec"`
		}
		if err := json.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		switch o.Kind {
		case "ConfigMap":
			w.maps[o.Metadata.Name] = o.Data
		case "Deployment":
			w.pod = o.Spec.Template.Spec
			w.sidecar, w.app = w.pod.InitContainers[0], w.pod.Containers[0]
		case "NetworkPolicy":
			for _, rule := range o.Spec.Ingress {
				w.ingress = append(w.ingress, rule.Ports...)
			}
		case "PodMonitor":
			for _, e := range o.Spec.Endpoints {
				w.monitors = append(w.monitors, e.Port)
			}
		}
	}
	return w
}

// pod is the file tree of the sidecar's container, as the image and the mounts of the manifest make it.
type pod struct {
	root    string
	volumes map[string]mounted // by name
	as      syscall.Credential
	env     []string
}

// mounted is a ConfigMap or a Secret, as the kubelet mounts it: names that lead by the link ..data to a folder of one
// version.
type mounted struct {
	dir   string
	mode  fs.FileMode
	group int
}

// lay makes the file tree. Volumes are mounted in the order of the manifest, each with the files of its map, or those
// of secrets.
func (w *workload) lay(t *testing.T, secrets map[string]string) *pod {
	t.Helper()
	c, group := w.sidecar, w.pod.SecurityContext.FSGroup
	p := &pod{root: t.TempDir(), volumes: map[string]mounted{}, as: syscall.Credential{
		Uid: c.SecurityContext.User, Gid: c.SecurityContext.Group, Groups: []uint32{group}}}
	command(t, 5*time.Minute, "", "cp", binary, p.root)
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(w.pod.Volumes, func(v volume) bool { return v.Name == m.Name })
		if i < 0 || m.SubPath != "" {
			t.Fatalf("mount %s: there is no such volume, or a part of it is mounted, which Kubernetes never updates",
				m.Name)
		}
		v := w.pod.Volumes[i]
		to, files := mounted{filepath.Join(p.root, m.MountPath), 0o644, int(group)}, w.maps[v.ConfigMap.Name]
		if v.Secret.Name != "" {
			to.mode, files = v.Secret.Mode, secrets
		}
		if err := os.MkdirAll(to.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		p.volumes[m.Name] = to
		to.update(t, files)
	}
	return p
}

// update replaces what is mounted, in one step, as the kubelet does.
func (m mounted) update(t *testing.T, files map[string]string) {
	t.Helper()
	link := filepath.Join(m.dir, "..data")
	before, _ := os.Readlink(link)
	version, err := os.MkdirTemp(m.dir, "..2026_11_28_")
	if err == nil {
		err = os.Chmod(version, 0o755)
	}
	for name, text := range files {
		file := testkit.WriteFile(t, filepath.Join(version, name), text)
		if err == nil {
			err = os.Chown(file, -1, m.group)
		}
		if err == nil {
			err = os.Chmod(file, m.mode)
		}
	}
	if err == nil {
		err = os.Symlink(filepath.Base(version), link+"_tmp")
	}
	if err == nil {
		err = os.Rename(link+"_tmp", link)
	}
	for name := range files {
		if _, missing := os.Lstat(filepath.Join(m.dir, name)); err == nil && missing != nil {
			err = os.Symlink(filepath.Join("..data", name), filepath.Join(m.dir, name))
		}
	}
	if err == nil && before != "" {
		err = os.RemoveAll(filepath.Join(m.dir, before))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// command is a program of the container.
func (p *pod) command(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = "/", p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: p.root, Credential: &p.as}
	return cmd
}

// settings are those of a sidecar that the manifests must agree with.
type settings struct {
	Listen struct {
		API, Admin, Metrics struct{ Address string }
	}
	Issuers []struct {
		Issuer string
	}
	ShutdownTimeout string `yaml:"shutdown_timeout"`
}

// settings are what the sidecar itself reads in the container.
func (p *pod) settings(t *testing.T, file string) settings {
	t.Helper()
	out, err := p.command("/sidecar", "config", "print", "--config", file).Output()
	var s settings
	if err == nil {
		err = yaml.Unmarshal(out, &s)
	}
	if err != nil {
		t.Fatalf("print the configuration in the container: %v", err)
	}
	return s
}
