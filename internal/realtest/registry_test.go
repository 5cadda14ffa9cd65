//go:build real

package realtest

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const repository = "policies/orders:production"

// ociRegistry is main.go of testdata, on one address for the whole test.
type ociRegistry struct {
	program, address, blobs, bundles string
	*process                         // nil while it is stopped
}

func newRegistry(t *testing.T) *ociRegistry {
	t.Helper()
	r := &ociRegistry{program: goProgram(t, "registry"), blobs: t.TempDir(), bundles: t.TempDir(),
		address: net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))}
	r.serve(t)
	return r
}

func (r *ociRegistry) serve(t *testing.T) {
	t.Helper()
	r.process = start(t, "registry", exec.Command(r.program, "serve", r.address, r.blobs))
	r.await(t, time.Minute, func() bool { return responds("http://" + r.address + "/v2/") })
}

// push builds a bundle by the sidecar and moves the tag to it.
func (r *ociRegistry) push(t *testing.T, revision, method string) {
	t.Helper()
	folder, archive := filepath.Join(r.bundles, revision), filepath.Join(r.bundles, revision+".tar.gz")
	testkit.WriteFiles(t, folder, allowing(revision, method))
	command(t, 5*time.Minute, "", binary, "bundle", "build", folder, "-o", archive)
	command(t, 5*time.Minute, "", r.program, "push", r.address+"/"+repository, archive)
}

// TestRegistry serves policies from an OCI registry that other people wrote, through its outages and the sidecar's own
// restarts.
func TestRegistry(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.push(t, "1", "GET")
	source := fmt.Sprintf(`url: "oci://%s/%s"
allow_insecure_http: true
poll: {min: 200ms, max: 300ms}
persist: %q`, r.address, repository, t.TempDir())
	sc := startServing(t, source)
	sc.allows(t, "GET", "POST")

	r.push(t, "2", "POST")
	sc.allows(t, "POST", "GET")
	if s := sc.source(t); s.Kind != "oci" || s.Revision != "2" || !s.Healthy || !s.Active {
		t.Errorf("status %+v, want revision 2 of a registry", s)
	}

	r.stop(t)
	testkit.Within(t, time.Minute, "the outage is in the status", func() bool { return !sc.source(t).Healthy })
	sc.allows(t, "POST", "GET")
	if s := sc.source(t); len(s.Errors) == 0 || !strings.Contains(s.Errors[0].Text, "download_error") {
		t.Errorf("status %+v does not say that the registry is gone", s)
	}

	sc.stop(t)
	sc = startServing(t, source)
	sc.allows(t, "POST", "GET")
	if s := sc.source(t); s.Revision != "2" || !s.Persisted {
		t.Errorf("status %+v, want revision 2, which was persisted", s)
	}

	r.serve(t)
	r.push(t, "3", "PUT")
	sc.allows(t, "PUT", "POST")
	testOPADownloads(t, r)
}

// testOPADownloads has opa read the same tag: the layout is that of OPA's own downloader.
func testOPADownloads(t *testing.T, r *ociRegistry) {
	dir := t.TempDir()
	testkit.WriteFiles(t, dir, map[string]string{
		"opa.yaml": fmt.Sprintf(`
services: {registry: {url: "http://%[1]s", type: oci}}
bundles: {orders: {service: registry, resource: "%[1]s/%[2]s"}}
persistence_directory: %[3]q
`, r.address, repository, filepath.Join(dir, "kept")),
		"input.json": `{"request": {"method": "PUT"}}`,
	})
	said := command(t, 5*time.Minute, dir, opaCommand(t), "exec", "--config-file", "opa.yaml", "--decision",
		"authz/decision", "input.json")
	if !strings.Contains(strings.Join(strings.Fields(said), ""), `"result":{"allow":true}`) {
		t.Errorf("opa decides otherwise on the bundle of the registry: %s", said)
	}
}
