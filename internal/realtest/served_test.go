//go:build real

package realtest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// allowing is a bundle that allows one method, without a token.
func allowing(revision, method string) map[string]string {
	return map[string]string{
		".manifest": fmt.Sprintf(`{"revision": %q, "roots": ["authz"]}`, revision),
		"authz/decision.rego": `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "method"}]}

decision := {"allow": true} if input.request.method == data.authz.method
`,
		"authz/data.json": fmt.Sprintf(`{"method": %q}`, method),
	}
}

// startServing runs a sidecar whose only policies are one source, given as the members of an item of
// policies.sources. There is no authorization server, because no request has a token.
func startServing(t *testing.T, source string) *sidecar {
	t.Helper()
	file := testkit.WriteFile(t, filepath.Join(t.TempDir(), "sidecar.yaml"), fmt.Sprintf(`
listen:
  api: {address: "127.0.0.1:0"}
  admin: {address: "127.0.0.1:0"}
issuers:
  - issuer: https://login.acme.example
    introspection_endpoint: https://login.acme.example/introspect
    client: {auth: none}
policies:
  paths: []
  sources:
    - name: policies
%s
decision: {token: optional}
telemetry: {log: {format: json}}
`, "      "+strings.ReplaceAll(strings.TrimSpace(source), "\n", "\n      ")))
	sc := &sidecar{process: start(t, "sidecar", exec.Command(binary, "serve", "--config", file))}
	sc.await(t, 30*time.Second, sc.findAddresses)
	sc.await(t, 30*time.Second, func() bool { return responds(sc.api + "/readyz") })
	return sc
}

// source is the state of the only source of policies.
func (sc *sidecar) source(t *testing.T) status.Source {
	t.Helper()
	raw, err := fetch(sc.admin + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Sources []status.Source `json:"sources"`
	}
	if err := json.Unmarshal(raw, &s); err != nil || len(s.Sources) != 1 {
		t.Fatalf("%v: %s", err, raw)
	}
	return s.Sources[0]
}

// allows waits until the one method is allowed, and checks that another is not.
func (sc *sidecar) allows(t *testing.T, method, not string) {
	t.Helper()
	testkit.Within(t, time.Minute, method+" is allowed", func() bool {
		return sc.decide(t, question{method: method, path: "/orders"}).Allow
	})
	if a := sc.decide(t, question{method: not, path: "/orders"}); a.Kind != "deny" {
		t.Errorf("%s is answered %s, want a denial", not, a)
	}
}

// testOPAServed serves a bundle that opa signed, takes a second one that it signed, and refuses a third whose
// signature is broken.
func testOPAServed(t *testing.T, w workshop) {
	private, public := w.keyPair(t, "ES256")
	sign := func(revision, method string) string {
		folder := "served-" + revision
		testkit.WriteFiles(t, filepath.Join(w.dir, folder), allowing(revision, method))
		w.must(t, w.opa, "build", "--bundle", folder, "--signing-key", private, "--signing-alg", "ES256",
			"--verification-key-id", "release", "--output", folder+".tar.gz")
		return filepath.Join(w.dir, folder+".tar.gz")
	}
	inUse := filepath.Join(w.dir, "in-use.tar.gz")
	install := func(archive string) { replace(t, inUse, testkit.ReadFile(t, archive)) }
	install(sign("1", "GET"))
	sc := startServing(t, fmt.Sprintf("path: %q\nsignature: {keys: [{id: release, file: %q}]}", inUse,
		filepath.Join(w.dir, public)))
	sc.allows(t, "GET", "POST")
	install(sign("2", "POST"))
	sc.allows(t, "POST", "GET")
	if s := sc.source(t); s.Revision != "2" || !strings.Contains(fmt.Sprint(s.Signers), "release") {
		t.Errorf("status %+v, want revision 2 and its signer", s)
	}

	third := sign("3", "orders:read")
	install(filepath.Join(w.dir, w.changed(t, filepath.Base(third))))
	testkit.Within(t, time.Minute, "the third is refused", func() bool { return !sc.source(t).Healthy })
	if s := sc.source(t); s.Revision != "2" || !strings.Contains(fmt.Sprint(s.Errors), "signature_error") {
		t.Errorf("status %+v, want revision 2 and why the third is refused", s)
	}
	sc.allows(t, "POST", "GET")
}
