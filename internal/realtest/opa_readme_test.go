//go:build real

package realtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// withOPASDK is a directory with programs of testdata/opa-node and the SDK of OPA for TypeScript.
func withOPASDK(t *testing.T, programs ...string) string {
	t.Helper()
	var sources []string
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		sources = append(sources, filepath.Join("testdata", "opa-node", name))
	}
	installed := cached(t, "opa-node-", sources, func(fresh string) {
		copyInto(t, fresh, sources...)
		command(t, 5*time.Minute, fresh, tool(t, "npm", "install npm"), "ci", "--ignore-scripts", "--cache",
			filepath.Join(cacheDir(t), "npm"))
	})
	dir := t.TempDir()
	for _, name := range programs {
		copyInto(t, dir, filepath.Join("testdata", "opa-node", name))
	}
	if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startCallers runs a sidecar whose packages are all asked with the caller's own input, but for one that is its own.
func startCallers(t *testing.T, policies string, opa string) *sidecar {
	t.Helper()
	testkit.WriteFile(t, filepath.Join(policies, "own", "decision.rego"), `package own

# METADATA
# entrypoint: true
default decision := false

decision if input.token.active
`)
	v := vault{}
	password := v.secret("secret of the sidecar")
	issuer := authserver.Start(t, devissuer.Config{
		ResourceServers: []devissuer.ResourceServer{{ID: "sidecar", Secret: secret.New(password)}}})
	return startSidecar(t, v, setup{secret: password, issuer: fmt.Sprintf(`
  - introspection_endpoint: %s/introspect
    allow_insecure_http: true
    client: {id: sidecar, secret: {env: CLIENT_SECRET}}`, issuer.Issuer()),
		policies: policies, env: []string{"SIDECAR_DECISION_ENTRYPOINT=own/decision"}, more: "opa: " + opa + "\n"})
}

// startOPA runs the command opa as a server, and returns its address. OPA does not say which port it has, so it
// listens on a socket behind a proxy.
func startOPA(t *testing.T, policies string, args ...string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "opa.sock")
	args = append([]string{"run", "--server", "--addr", "unix://" + socket, "--skip-version-check", policies},
		args...)
	p := start(t, "opa", exec.Command(opaCommand(t), args...))
	to := &net.Dialer{}
	transport := &http.Transport{DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return to.DialContext(ctx, "unix", socket)
		}}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", "opa"
	}})
	t.Cleanup(proxy.Close)
	p.await(t, 30*time.Second, func() bool {
		_, err := os.Stat(socket)
		return err == nil && responds(proxy.URL+"/health")
	})
	return proxy.URL
}

// TestTheExamplesOfTheClientOfOPA runs the examples in the README of OPA's SDK for TypeScript as they stand there,
// with the policies of the README, against the sidecar and against OPA.
func TestTheExamplesOfTheClientOfOPA(t *testing.T) {
	dir, policies := withOPASDK(t, "readme.mjs"), t.TempDir()
	readme := testkit.ReadFile(t, filepath.Join(dir, "node_modules", "@open-policy-agent", "opa", "README.md"))
	for i, block := range regexp.MustCompile("(?s)```rego\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		testkit.WriteFile(t, filepath.Join(policies, fmt.Sprintf("%d.rego", i)), block[1])
	}
	sc := startCallers(t, policies,
		"{enabled: true, packages: [authz, filters], default_decision: authz/allow}")
	type example struct {
		Under string   `json:"under"`
		Says  []string `json:"says"`
	}
	answers := map[string][]example{}
	for name, server := range map[string]string{"sidecar": sc.api, "opa": startOPA(t, policies, "--set",
		"default_decision=/authz/allow")} {
		for line := range strings.Lines(command(t, 5*time.Minute, dir, tool(t, "node", "install Node 20 or newer"),
			"readme.mjs", server)) {
			var e example
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err, line)
			}
			answers[name] = append(answers[name], e)
			sc.answers.WriteString(line)
		}
	}
	if n := len(answers["sidecar"]); n != len(answers["opa"]) || n < 12 {
		t.Fatalf("%d examples ran, and %d with OPA", n, len(answers["opa"]))
	}
	for i, got := range answers["sidecar"] {
		want := answers["opa"][i]
		if want.Under == "Batched Queries" { // OPA has no batches; the README says what they print
			want.Says = []string{"alice: allowed!", "bob: denied!"}
		}
		if strings.Join(got.Says, "\n") != strings.Join(want.Says, "\n") {
			t.Errorf("%s: the sidecar has %q, OPA %q", got.Under, got.Says, want.Says)
		}
	}
}

// TestTheClientOfOPATellsErrorsApart asks for what fails in part.
func TestTheClientOfOPATellsErrorsApart(t *testing.T) {
	policies := t.TempDir()
	testkit.WriteFile(t, filepath.Join(policies, "play.rego"), "package play\n\nratio := 1 / input.zero\n")
	sc := startCallers(t, policies, "{enabled: true, packages: [play]}")
	got := command(t, 5*time.Minute, withOPASDK(t, "mixed.mjs"), tool(t, "node", "install Node 20 or newer"),
		"mixed.mjs", sc.api)
	sc.answers.WriteString(got)
	want := strings.Join([]string{
		`["mixed",{"bad":"internal_error","good":1}]`,
		`["reject","throws","Object","internal_error"]`,
		`["fallback",{"good":1}]`,
		`["failed","throws","ServerError","internal_error"]`,
		`["undefined",null]`,
		`["elsewhere","throws","SDKError",null]`,
	}, "\n") + "\n"
	if got != want {
		t.Errorf("the client says\n%s\nwant\n%s", got, want)
	}
}
