//go:build real

package realtest

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// file is the configuration that the arguments of the sidecar name.
func (w *workload) file() string { return w.sidecar.Args[slices.Index(w.sidecar.Args, "--config")+1] }

// checkAgreement compares the manifests with the configuration in them, as the sidecar reads it.
func (w *workload) checkAgreement(t *testing.T) {
	p := w.lay(t, map[string]string{"client-secret": "secret of the manifests"})
	testkit.WriteFile(t, filepath.Join(p.root, filepath.Dir(w.file()), "policy_test", "orders_suite.yaml"),
		testkit.ReadFile(t, kubernetesFolder+"/policy_test/orders_suite.yaml"))
	for _, args := range [][]string{{"check", "--strict"}, {"test"}} {
		argv := append([]string{"/sidecar"}, append(args, "--config", w.file())...)
		if out, err := p.command(argv...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", argv, err, out)
		}
	}
	s := p.settings(t, w.file())
	api, metrics := portOf(t, s.Listen.API.Address), portOf(t, s.Listen.Metrics.Address)
	if got := containerPort(w.sidecar.Ports, "metrics"); got != metrics ||
		!slices.Equal(w.monitors, []string{"metrics"}) {
		t.Errorf("the port metrics is %d and listen.metrics %d; the monitor reads %v", got, metrics, w.monitors)
	}
	var allowed []int
	for _, p := range w.ingress {
		allowed = append(allowed, p.Port)
	}
	if want := []int{containerPort(w.app.Ports, "http"), metrics}; !slices.Equal(allowed, want) {
		t.Errorf("the network policy lets %v in, want %v", allowed, want)
	}
	if i := slices.IndexFunc(w.app.Env, func(e variable) bool { return e.Name == "SIDECAR_URL" }); i < 0 ||
		w.app.Env[i].Value != "http://"+s.Listen.API.Address {
		t.Errorf("the application has no SIDECAR_URL of port %d: %v", api, w.app.Env)
	}
	w.checkTimes(t, s)
}

// checkTimes adds up what a stop takes: the application has as long as its sidecar.
func (w *workload) checkTimes(t *testing.T, s settings) {
	t.Helper()
	stop, err := time.ParseDuration(s.ShutdownTimeout)
	if err != nil {
		t.Fatal(err)
	}
	sleep := time.Duration(w.app.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	if grace := time.Duration(w.pod.GracePeriod) * time.Second; sleep == 0 || grace < sleep+2*stop {
		t.Errorf("a pod has %v to stop: %v of preStop, and %v each for application and sidecar", grace, sleep, stop)
	}
	if w.sidecar.RestartPolicy != "Always" {
		t.Error("the sidecar is no native sidecar container")
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, number, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// containerPort is the number of a port of a container, 0 when it has none of that name.
func containerPort(ports []port, name string) int {
	for _, p := range ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// play runs the sidecar as its container does, with the configuration of the ConfigMap but for addresses: its ports
// are free ones, and its server is one of the test.
func (w *workload) play(t *testing.T) {
	v := vault{}
	as, key, token := ordersServer(t, v)
	p := w.lay(t, map[string]string{"client-secret": "the one before the rotation"})
	p.env = []string{fmt.Sprintf("SIDECAR_LISTEN_API_ADDRESS=127.0.0.1:%d", freePort(t)),
		"SIDECAR_LISTEN_ADMIN_ADDRESS=127.0.0.1:0",
		"SIDECAR_LISTEN_METRICS_ADDRESS=127.0.0.1:0", "SIDECAR_ISSUERS_0_ISSUER=" + as.Issuer(),
		"SIDECAR_ISSUERS_0_ALLOW_INSECURE_HTTP=true", "SIDECAR_ISSUERS_0_TIMEOUT=8s", "SIDECAR_ENGINE_DEADLINE=2s"}
	sc := &sidecar{}
	sc.run(t, v, p.command(append([]string{"/sidecar"}, w.sidecar.Args...)...))
	w.checkProbes(t, p)

	ask := question{token: token, method: "GET", path: "/orders/42"}
	decides := func(want string) func() bool { return func() bool { return sc.decide(t, ask).String() == want } }
	if a := sc.decide(t, ask); a.String() != "misconfigured 503 misconfigured" {
		t.Errorf("with a secret that is not its own: %s, want misconfigured 503", a)
	}
	p.volumes["client"].update(t, map[string]string{"client-secret": key})
	testkit.Eventually(t, "the secret of the new version is used", decides("allow 200"))

	policies := w.maps["orders-policies"]
	changed := maps.Clone(policies)
	changed["data.yaml"] = strings.ReplaceAll(policies["data.yaml"], "orders:read", "orders:list")
	p.volumes["policies"].update(t, changed)
	testkit.Eventually(t, "the policies of the new version decide", decides("deny 403 insufficient_scope"))

	p.volumes["policies"].update(t, map[string]string{"decision.rego": "package", "data.yaml": policies["data.yaml"]})
	testkit.Eventually(t, "the broken version is seen", func() bool {
		page, err := fetch(sc.admin + "/metrics")
		return err == nil && strings.Contains(string(page), "\nsidecar_app_reload_failing 1\n")
	})
	if a := sc.decide(t, ask); a.String() != "deny 403 insufficient_scope" {
		t.Errorf("the last good policies no longer decide: %s", a)
	}
	w.checkProbes(t, p)
	p.volumes["policies"].update(t, policies)
	testkit.Eventually(t, "the first policies decide again", decides("allow 200"))
}

// checkProbes runs the commands of the probes as they stand, as the kubelet does.
func (w *workload) checkProbes(t *testing.T, p *pod) {
	t.Helper()
	for _, probe := range []probe{w.sidecar.StartupProbe, w.sidecar.ReadinessProbe, w.sidecar.LivenessProbe} {
		argv := probe.Exec.Command
		if len(argv) == 0 || probe.Timeout < 4 {
			t.Fatalf("a probe is %v with %d s: healthcheck takes 3 s to say why it fails", argv, probe.Timeout)
		}
		if out, err := p.command(argv...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", argv, err, out)
		}
	}
}
