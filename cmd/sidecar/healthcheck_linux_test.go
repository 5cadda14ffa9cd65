package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// healthy runs the command, and returns its exit code and what it wrote, which is one line.
func healthy(t *testing.T, args ...string) (int, string) {
	t.Helper()
	code, out := ran(t, append([]string{"healthcheck", "--timeout", "1m"}, args...)...)
	if n := strings.Count(out, "\n"); n != 1 && !strings.Contains(out, "\nsidecar: hint: ") {
		t.Errorf("%d lines: %s", n, out)
	}
	return code, out
}

func TestHealthcheckAsksTheListenerOfTheConfiguration(t *testing.T) {
	dir := configure(t, "")
	config := filepath.Join(dir, "sidecar.yaml")
	socket := "unix://" + filepath.Join(dir, "api.sock")
	t.Setenv("SIDECAR_LISTEN_API_ADDRESS", socket)
	if code, out := healthy(t, "--config", config); code != exitFailed ||
		!strings.Contains(out, "there is no such socket") {
		t.Errorf("before the start: exit %d\n%s", code, out)
	}
	launch(t, dir, "serve").says("msg=serving")
	for _, args := range [][]string{
		{"--config", config}, {"--live", "--config", config}, {"--url", socket}, {"--live", "--url", socket},
	} {
		if code, out := healthy(t, args...); code != exitOK || !strings.HasPrefix(out, "ok: ") {
			t.Errorf("%q: exit %d\n%s", args, code, out)
		}
	}
	t.Setenv("SIDECAR_CONFIG", config)
	if code, out := healthy(t); code != exitOK {
		t.Errorf("the file of the environment: exit %d\n%s", code, out)
	}
}

// TestHealthcheckReadsTheListenersAlone: it may run as a user who may read neither secrets nor policies.
func TestHealthcheckReadsTheListenersAlone(t *testing.T) {
	at := testkit.HoldPort(t).Addr()
	file := testkit.TempFile(t, "sidecar.yaml", fmt.Sprintf(`
listen:
  api: {address: %q, bearer_keys_file: /none, tls: {cert_file: tls.crt, key_file: /none}}
  admin: {bearer_keys_file: /none}
issuers:
  - issuer: https://login.example
    client: {id: api, secret: {env: NOT_SET}}
policies: {paths: [/none]}
`, at))
	testkit.WriteFile(t, filepath.Join(filepath.Dir(file), "tls.crt"), testkit.SelfSigned(t).PEM())
	if code, out := healthy(t, "--config", file); code != exitFailed ||
		!strings.Contains(out, "ask https://"+at+"/readyz: connection refused") {
		t.Errorf("exit %d\n%s", code, out)
	}
	testkit.WriteFile(t, file, "listen: {api: {adress: x}}\n")
	if code, out := ran(t, "healthcheck", "--config", file); code != exitFailed ||
		!strings.Contains(out, `did you mean "address"?`) {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestHealthcheckWithoutAConfigurationAsksTheDefaultAddress: as an image does that was started without one.
func TestHealthcheckWithoutAConfigurationAsksTheDefaultAddress(t *testing.T) {
	t.Chdir(t.TempDir())
	at := testkit.HoldPort(t).Addr()
	t.Setenv("SIDECAR_LISTEN_API_ADDRESS", at)
	code, out := healthy(t)
	if code != exitFailed || !strings.Contains(out, "ask http://"+at+"/readyz: ") ||
		!strings.Contains(out, "hint: there is no configuration sidecar.yaml, so the default address was asked") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out := healthy(t, "--config", "other.yaml"); code != exitFailed ||
		!strings.Contains(out, `there is no file "other.yaml"`) {
		t.Errorf("a file that is named: exit %d\n%s", code, out)
	}
}

func TestHealthcheckRefusesFlagsThatContradict(t *testing.T) {
	for want, args := range map[string][]string{
		"both say which listener":  {"--url", "http://127.0.0.1:1", "--config", "sidecar.yaml"},
		"--url has a path already": {"--live", "--url", "http://127.0.0.1:1/readyz"},
		"unix:///path":             {"--url", "api.sock"},
		"needs both":               {"--url", "http://127.0.0.1:1", "--cert-file", "x"},
	} {
		if code, out := ran(t, append([]string{"healthcheck"}, args...)...); code != exitUsage ||
			!strings.Contains(out, want) {
			t.Errorf("%q: exit %d, want %q\n%s", args, code, want, out)
		}
	}
}
