//go:build real

package realtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// opaCommand is the command opa, of the version that the sidecar has inside. It is built once a version.
func opaCommand(t *testing.T) string {
	t.Helper()
	const module = "github.com/open-policy-agent/opa"
	version := strings.TrimSpace(command(t, 5*time.Minute, "../..", "go", "list", "-m", "-f", "{{.Version}}", module))
	dir := cached(t, "opa-"+version+"-", nil, func(fresh string) {
		cmd := exec.CommandContext(t.Context(), "go", "install", module+"@"+version)
		cmd.Env = append(os.Environ(), "GOBIN="+fresh, "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build opa %s: %v\n%s", version, err, tail(string(out)))
		}
	})
	return filepath.Join(dir, "opa")
}

// scopesNeeded is a bundle whose policy and data decide together.
func scopesNeeded(revision, reading string) map[string]string {
	return map[string]string{
		".manifest": fmt.Sprintf(`{"revision": %q, "roots": ["authz"]}`, revision),
		"authz/decision.rego": `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "insufficient_scope"}]}

decision := {"allow": true, "context": {"limit": data.authz.limit}} if {
	data.authz.needed[input.request.method] in input.token.scopes
}
`,
		"authz/data.json": fmt.Sprintf(`{"needed": {"GET": %q, "POST": "orders:write"}, "limit": 1.5e1}`, reading),
	}
}

// workshop is a directory in which both commands run.
type workshop struct {
	dir, opa string
}

func newWorkshop(t *testing.T) workshop {
	t.Helper()
	w := workshop{dir: t.TempDir(), opa: opaCommand(t)}
	testkit.WriteFiles(t, filepath.Join(w.dir, "folder"), scopesNeeded("1", "orders:read"))
	testkit.WriteFile(t, filepath.Join(w.dir, "release.secret"),
		"a secret that both commands know, of sixty-four bytes or more: yes")
	return w
}

// must runs a command that succeeds, and returns what it printed.
func (w workshop) must(t *testing.T, program string, args ...string) string {
	t.Helper()
	return command(t, 5*time.Minute, w.dir, program, args...)
}

// refuses runs a command that must fail and say why.
func (w workshop) refuses(t *testing.T, why, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), why) {
		t.Errorf("%s %q ended with %v, want a failure that says %q: %s", filepath.Base(program), args, err, why, out)
	}
}

// opaVerifies are the arguments with which opa reads a bundle and verifies it: building another one from it.
func opaVerifies(bundle, algorithm, key string) []string {
	return []string{"build", "--bundle", bundle, "--verification-key", key, "--verification-key-id", "release",
		"--signing-alg", algorithm, "--output", "read-by-opa.tar.gz"}
}

func sidecarVerifies(bundle, algorithm, key string) []string {
	return []string{"bundle", "verify", bundle, "--key", "release=" + key, "--algorithm", algorithm}
}

// keyPair is the private and the public key of an algorithm; with HS256 both are the secret.
func (w workshop) keyPair(t *testing.T, algorithm string) (private, public string) {
	t.Helper()
	if algorithm == "HS256" {
		return "release.secret", "release.secret"
	}
	name := "release-" + algorithm
	if _, err := os.Stat(filepath.Join(w.dir, name+".key")); err != nil {
		w.must(t, binary, "bundle", "keygen", name, "--algorithm", algorithm)
	}
	return name + ".key", name + ".pub"
}

// changed is a bundle with one file that is another, under the signature that it had.
func (w workshop) changed(t *testing.T, bundle string) string {
	t.Helper()
	a, err := archive.Read(bundle, bytes.NewReader([]byte(testkit.ReadFile(t, filepath.Join(w.dir, bundle)))),
		archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	did := false
	for i, f := range a.Files {
		a.Files[i].Raw = bytes.Replace(f.Raw, []byte("orders:read"), []byte("orders:reed"), 1)
		did = did || !bytes.Equal(f.Raw, a.Files[i].Raw)
	}
	var out bytes.Buffer
	if err := archive.Write(&out, a); err != nil || !did {
		t.Fatal(err, "nothing was changed")
	}
	testkit.WriteFile(t, filepath.Join(w.dir, "changed-"+bundle), out.String())
	return "changed-" + bundle
}

// TestOPA has the sidecar and the command opa read what the other made.
func TestOPA(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	t.Run("BundlesOfBothDecideTheSameInBoth", func(t *testing.T) { testOPADecides(t, w) })
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		t.Run("Verifies/"+algorithm, func(t *testing.T) { testOPAVerifies(t, w, algorithm) })
		t.Run("Signs/"+algorithm, func(t *testing.T) { testOPASigns(t, w, algorithm) })
	}
	t.Run("AcceptsABundleThatTwoPeopleSigned", func(t *testing.T) { testOPACountersigned(t, w) })
	t.Run("SignsWhatTheSidecarServes", func(t *testing.T) { testOPAServed(t, w) })
}

// testOPADecides compares four answers for each of many inputs: those of two bundles, each by two programs.
func testOPADecides(t *testing.T, w workshop) {
	w.must(t, binary, "bundle", "build", "folder", "-o", "by-sidecar.tar.gz")
	w.must(t, w.opa, "build", "--bundle", "folder", "--output", "by-opa.tar.gz")
	type result struct {
		Allow   bool           `json:"allow"`
		Context map[string]any `json:"context"`
	}
	seen := map[bool]int{}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, scope := range []string{"orders:read", "orders:read orders:write", "x"} {
			testkit.WriteFile(t, filepath.Join(w.dir, "token.json"), fmt.Sprintf(
				`{"active": true, "sub": "ann", "client_id": "web", "scope": %q}`, scope))
			request := []string{"eval", "--method", method, "--url", publicURL + "/orders", "--introspection",
				"token.json", "--policies"}
			input := w.must(t, binary, append(request, "by-sidecar.tar.gz", "--input")...)
			testkit.WriteFile(t, filepath.Join(w.dir, "input.json"), input)
			var answers []string
			for _, bundle := range []string{"by-sidecar.tar.gz", "by-opa.tar.gz"} {
				cmd := exec.CommandContext(t.Context(), binary, append(request, bundle)...)
				cmd.Dir = w.dir
				decided, err := cmd.Output() // a denial is exit status 5
				if err != nil && cmd.ProcessState.ExitCode() != 5 {
					t.Fatal(err)
				}
				for _, raw := range []string{string(decided), w.must(t, w.opa, "eval", "--bundle", bundle, "--input",
					"input.json", "--format", "raw", "data.authz.decision")} {
					var r result
					if err := json.Unmarshal([]byte(raw), &r); err != nil {
						t.Fatal(err, raw)
					}
					seen[r.Allow]++
					answers = append(answers, fmt.Sprint(r.Allow, r.Context["limit"]))
				}
			}
			for _, a := range answers[1:] {
				if a != answers[0] {
					t.Errorf("%s with %q: sidecar and opa on the one bundle, then on the other: %q", method, scope,
						answers)
				}
			}
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("all answers are alike: %v", seen)
	}
}

// testOPAVerifies signs by the sidecar and verifies by opa.
func testOPAVerifies(t *testing.T, w workshop, algorithm string) {
	private, public := w.keyPair(t, algorithm)
	name := "sidecar-" + algorithm + ".tar.gz"
	w.must(t, binary, "bundle", "build", "folder", "-o", "unsigned.tar.gz")
	w.must(t, binary, "bundle", "sign", "unsigned.tar.gz", "--key", private, "--key-id", "release", "--algorithm",
		algorithm, "-o", name)
	w.must(t, w.opa, opaVerifies(name, algorithm, public)...)
	w.refuses(t, "missing .signatures.json", w.opa, opaVerifies("unsigned.tar.gz", algorithm, public)...)
	changed := w.changed(t, name)
	w.refuses(t, "digest mismatch", w.opa, opaVerifies(changed, algorithm, public)...)
	w.refuses(t, "its hash differs", binary, sidecarVerifies(changed, algorithm, public)...)
}

// testOPASigns signs by opa, which has two commands for it, and verifies by the sidecar.
func testOPASigns(t *testing.T, w workshop, algorithm string) {
	private, public := w.keyPair(t, algorithm)
	name := "opa-" + algorithm + ".tar.gz"
	w.must(t, w.opa, "build", "--bundle", "folder", "--signing-key", private, "--signing-alg", algorithm,
		"--verification-key-id", "release", "--output", name)
	w.must(t, binary, sidecarVerifies(name, algorithm, public)...)
	changed := w.changed(t, name)
	w.refuses(t, "its hash differs", binary, sidecarVerifies(changed, algorithm, public)...)
	w.refuses(t, "digest mismatch", w.opa, opaVerifies(changed, algorithm, public)...)

	folder := "folder-" + algorithm
	testkit.WriteFiles(t, filepath.Join(w.dir, folder), scopesNeeded("1", "orders:read"))
	in := workshop{filepath.Join(w.dir, folder), w.opa}
	in.must(t, w.opa, "sign", "--bundle", ".", "--signing-key", filepath.Join(w.dir, private), "--signing-alg",
		algorithm)
	w.must(t, binary, sidecarVerifies(folder, algorithm, public)...)
	testkit.WriteFile(t, filepath.Join(w.dir, folder, "authz", "data.json"), `{"needed": {"DELETE": "x"}}`)
	w.refuses(t, "its hash differs", binary, sidecarVerifies(folder, algorithm, public)...)
}

// testOPACountersigned has opa read a bundle with the signatures of an author and of a reviewer, who names a report.
func testOPACountersigned(t *testing.T, w workshop) {
	private, public := w.keyPair(t, "ES256")
	w.must(t, binary, "bundle", "keygen", "rob")
	w.must(t, binary, "bundle", "build", "folder", "-o", "two.tar.gz")
	w.must(t, binary, "bundle", "sign", "two.tar.gz", "--key", private, "--key-id", "release")
	w.must(t, binary, "bundle", "review", "folder", "two.tar.gz", "--output", "review.json")
	w.must(t, binary, "bundle", "sign", "two.tar.gz", "--countersign", "--key", "rob.key", "--key-id", "rob",
		"--reviewed", "review.json")
	both := append(sidecarVerifies("two.tar.gz", "ES256", public), "--key", "rob=rob.pub", "--reviewed")
	if said := w.must(t, binary, both...); !strings.Contains(said, "rob") {
		t.Errorf("verify tells nothing of the reviewer: %s", said)
	}
	w.must(t, w.opa, opaVerifies("two.tar.gz", "ES256", public)...)
	changed := w.changed(t, "two.tar.gz")
	w.refuses(t, "digest mismatch", w.opa, opaVerifies(changed, "ES256", public)...)
	w.refuses(t, "its hash differs", binary, append(sidecarVerifies(changed, "ES256", public), "--key",
		"rob=rob.pub", "--reviewed")...)
}
