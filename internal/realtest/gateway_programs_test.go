//go:build real

package realtest

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// listens tells whether connections to an address are accepted.
func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// gatewayFile writes a file of a page with the addresses of the test.
func gatewayFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	if text == "" {
		t.Fatalf("the page shows no %s", name)
	}
	return testkit.WriteFile(t, filepath.Join(dir, name), text)
}

// nginxMain is what Debian's nginx.conf has around the files of conf.d, and what a process in the foreground needs.
const nginxMain = `worker_processes 1;
error_log error.log warn;
pid nginx.pid;
daemon off;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  include app.conf;
}
`

func startNginx(t *testing.T, files map[string]string, at places) *process {
	t.Helper()
	return startNginxWith(t, at.in(files["app.conf"]))
}

// startIngressNginx runs nginx with what the controller makes of the annotations of the page.
func startIngressNginx(t *testing.T, _ map[string]string, at places) *process {
	t.Helper()
	return startNginxWith(t, at.in(testkit.ReadFile(t, "testdata/gateways/ingress-nginx.conf")))
}

func startNginxWith(t *testing.T, app string) *process {
	t.Helper()
	// Its workers have another user: the folder is not below that of the test, which only its owner may enter.
	dir := openFolder(t)
	gatewayFile(t, dir, "app.conf", app)
	testkit.WriteFile(t, filepath.Join(dir, "nginx.conf"), nginxMain)
	return start(t, "nginx", exec.Command(tool(t, "nginx", "apt-get install nginx-light"), "-p", dir+"/", "-e",
		"stderr",
		"-c", "nginx.conf"))
}

func startHAProxy(t *testing.T, files map[string]string, at places) *process {
	t.Helper()
	dir := t.TempDir()
	gatewayFile(t, dir, "sidecar.lua", at.in(files["sidecar.lua"]))
	cmd := exec.Command(tool(t, "haproxy", "apt-get install haproxy"), "-db", "-f",
		gatewayFile(t, dir, "haproxy.cfg", strings.ReplaceAll(at.in(files["haproxy.cfg"]), "/etc/haproxy", dir)))
	return start(t, "HAProxy", cmd)
}

// caddyMain is what a process needs beside others: no administration, no files outside its folder.
const caddyMain = `{
	admin off
	auto_https off
}
`

func startCaddy(t *testing.T, files map[string]string, at places) *process {
	t.Helper()
	return startCaddyProgram(t, tool(t, "caddy", "apt-get install caddy"), files, at)
}

func startCaddyProgram(t *testing.T, program string, files map[string]string, at places) *process {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(program, "run", "--adapter", "caddyfile", "--config",
		gatewayFile(t, dir, "Caddyfile", caddyMain+at.in(files["Caddyfile"])))
	cmd.Env = []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir}
	return start(t, "Caddy", cmd)
}

// startEnvoy runs the Envoy of a wheel of PyPI, which holds nothing but the released binary.
func startEnvoy(t *testing.T, files map[string]string, at places) *process {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(pythonEnvironment(t, "envoy"), "lib", "*", "site-packages", "envoy",
		"_bin",
		"envoy"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	// The sidecar of the test reads one header more, by which its decisions are found.
	file := strings.ReplaceAll(at.in(files["envoy.yaml"]), "{ exact: x-tenant }, { exact: x-request-id }",
		"{ exact: x-tenant }, { exact: x-request-id }, { exact: x-case }")
	return start(t, "Envoy", exec.Command(found[0], "--concurrency", "1", "--use-dynamic-base-id",
		"--file-flush-interval-msec", "50", "-c",
		gatewayFile(t, t.TempDir(), "envoy.yaml", file)))
}

// startEnvoyHTTP runs Envoy with the file of the page for checks over HTTP.
func startEnvoyHTTP(t *testing.T, files map[string]string, at places) *process {
	t.Helper()
	return startEnvoy(t, map[string]string{"envoy.yaml": files["envoy-http.yaml"]}, at)
}
