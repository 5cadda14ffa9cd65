//go:build real

package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestOpenAPI holds the sidecar against its own description: openapi-spec-validator reads it, and schemathesis calls
// each operation, with data that the description allows and with data that it does not.
//
// SIDECAR_SCHEMATHESIS_SECONDS is how long schemathesis calls each listener; without it, the same examples are made
// each time.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(pythonEnvironment(t, "schemathesis"), "bin")
	sc := withEveryDoor(t)
	text, err := fetch(sc.admin + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	file := testkit.TempFile(t, "openapi.json", string(text))
	// The scripts of a cached environment name the Python of the folder that it was made in.
	command(t, 5*time.Minute, "", filepath.Join(bin, "python"), filepath.Join(bin, "openapi-spec-validator"), file)
	for port, url := range map[string]string{"8181": sc.api, "8282": sc.admin} {
		t.Run(port, func(t *testing.T) {
			t.Parallel()
			elsewhere := "/none"
			if port != "8181" {
				elsewhere = "/" // has GET on all listeners, and POST on that of the API alone
			}
			schemathesis(t, bin, file, url, pathsOf(t, text, port), elsewhere)
		})
	}
}

// withEveryDoor is a sidecar that serves whatever the description has, with the to-do lists of the repository as the
// policy of AuthZEN, and a package for callers with an input of their own.
func withEveryDoor(t *testing.T) *sidecar {
	t.Helper()
	dir := t.TempDir()
	copyInto(t, dir, kubernetesFolder+"/policies/data.yaml", kubernetesFolder+"/policies/decision.rego")
	todo := filepath.Join(dir, "todo")
	copyInto(t, todo, "../../bundles/todo/search.rego", "../../bundles/todo/decision.rego")
	testkit.WriteFiles(t, dir, map[string]string{
		"data.json":     testkit.ReadFile(t, "../../bundles/todo/data.json"),
		"app/app.rego":  "package app\n\nallow if input.token.active\n\ngiven := input\n",
		"app/data.json": `{"tenants": ["acme"]}`,
	})
	v := vault{}
	as, key, _ := ordersServer(t, v)
	sc := startSidecar(t, v, setup{secret: key, policies: dir, issuer: acme(as), more: fmt.Sprintf(`
events:
  - issuer: acme
    shared_signals: {delivery: push, manage: "off", audience: [orders-api], authorization: {env: STREAM}}
opa: {enabled: true, default_decision: authz/decision/allow, packages: [app], introspect_token: true}
authzen:
  entrypoint: todo/decision
  token_subject_types: [access_token]
  public_url: https://pdp.acme.example
  search: {subject: todo/search/subjects, resource: todo/search/resources, action: todo/search/actions}
upstream_token: {key_files: [%q], issuer: "https://sidecar.acme.example", audience: [orders]}
resources:
  - resource: https://mcp.example/mcp
    root: true
    authorization_servers: [https://id.example]
    scopes_supported: [notes:read]
    mcp: {eras: [sessions, stateless]}`,
		testkit.TempFile(t, "identity.pem", testkit.KeyPEM(t, testkit.FixedKey(t, "EdDSA")))),
		env: []string{"STREAM=" + v.secret("authorization of the stream")}})
	sc.decide(t, question{method: "GET", path: "/orders"})
	return sc
}

// pathsOf is a pattern of the paths that the listener of a port serves, by its description.
func pathsOf(t *testing.T, description []byte, port string) string {
	t.Helper()
	var d struct {
		Paths map[string]struct{ Servers []struct{ URL string } }
	}
	if err := json.Unmarshal(description, &d, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for path, item := range d.Paths {
		for _, s := range item.Servers {
			if strings.HasSuffix(s.URL, ":"+port) {
				paths = append(paths, regexp.QuoteMeta(path))
			}
		}
	}
	slices.Sort(paths)
	return "^(" + strings.Join(paths, "|") + ")$"
}

// schemathesis calls the paths that match a pattern, but for one whose methods differ by listener.
func schemathesis(t *testing.T, bin, file, url, paths, elsewhere string) {
	t.Helper()
	folder := absolute(t, filepath.Join("testdata", "schemathesis"))
	args := []string{filepath.Join(bin, "schemathesis"), "--config-file", filepath.Join(folder, "schemathesis.toml"),
		"run", file, "--url", url,
		"--include-path-regex", paths, "--mode", "all", "--no-color", "--warnings", "off", "--checks", "all",
		// the machine may be busy
		"--exclude-path", elsewhere, "--suppress-health-check", "all", "--request-timeout", "60"}
	within := 5 * time.Minute
	if seconds := os.Getenv("SIDECAR_SCHEMATHESIS_SECONDS"); seconds != "" {
		n, err := strconv.Atoi(seconds)
		if err != nil {
			t.Fatal(err)
		}
		within += time.Duration(n) * time.Second
		args = append(args, "--max-time", seconds)
	} else {
		args = append(args, "--max-examples", "100", "--generation-deterministic")
	}
	cmd := exec.Command(filepath.Join(bin, "python"), args...)
	cmd.Dir = t.TempDir() // it keeps what it found in its folder
	cmd.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS="+filepath.Join(folder, "hooks.py"))
	p := start(t, "schemathesis", cmd)
	select {
	case <-p.done:
	case <-time.After(within):
		t.Fatalf("schemathesis did not end:\n%s", p.log(t))
	}
	if p.err != nil {
		t.Errorf("schemathesis: %v\n%s", p.err, p.log(t))
	}
	t.Log(p.log(t))
}
