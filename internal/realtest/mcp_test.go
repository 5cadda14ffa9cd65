//go:build real

package realtest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// mcpWorld is two official MCP servers behind Envoy, guarded by the sidecar with the policy of bundles/mcp.
type mcpWorld struct {
	folder, python string
	origin         string
	issuer         *process
	servers        map[string]*process
}

// TestMCP is official clients of both eras against official servers of both: discovery, challenge, step-up, a call
// that is allowed, and calls that are not.
func TestMCP(t *testing.T) {
	w := startMCP(t)
	t.Run("clients", func(t *testing.T) {
		for _, kind := range []string{"sdk1", "sdk2", "sdk2-2026", "py", "py-2026"} {
			for server, path := range map[string]string{"sessions": "/sessions/mcp", "stateless": "/mcp"} {
				t.Run(kind+" at "+server, func(t *testing.T) { w.client(t, kind, path) })
			}
		}
	})
	t.Run("batch", w.batch)
	for name, server := range w.servers {
		ran := testkit.ReadFile(t, server.stdout)
		if !strings.Contains(ran, "ran list_notes") || !strings.Contains(ran, "ran add_note") ||
			strings.Contains(ran, "drop_all") || strings.Count(ran, "ran add_note") != 5 {
			t.Errorf("the server of the era %s ran\n%s", name, ran)
		}
	}
}

// client runs a client, and compares what became of its calls.
func (w *mcpWorld) client(t *testing.T, kind, path string) {
	program, script := tool(t, "node", "install Node 20 or newer"), filepath.Join(w.folder, "client.mjs")
	if strings.HasPrefix(kind, "py") {
		program, script = filepath.Join(w.python, "bin", "python"), absolute(t, "testdata/mcp-python/client.py")
	}
	out, err := exec.Command(program, script, kind, w.origin+path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := string(out)
	for _, want := range []string{"connect: done\n", "list: done list_notes\n", "add: done add_note\n",
		"add of others: refused: ", "forbidden: refused: ", "scope: notes:read notes:write\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	asked := testkit.ReadFile(t, w.issuer.stdout)
	if !strings.Contains(asked, "asked for notes:read of "+w.origin+path+"\n") {
		t.Errorf("the client asked for\n%s", asked)
	}
}

// batch is refused, also for a token that may call what is in it.
func (w *mcpWorld) batch(t *testing.T) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"}}`
	for _, path := range []string{"/mcp", "/sessions/mcp"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", w.origin+path, strings.NewReader("["+call+"]"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
}

func startMCP(t *testing.T) *mcpWorld {
	t.Helper()
	w := &mcpWorld{folder: mcpFolder(t), python: pythonEnvironment(t, "mcp-python"), servers: map[string]*process{}}
	addresses := map[string]string{}
	for _, name := range []string{"envoy", "grpc", "api", "issuer", "sessions", "stateless"} {
		addresses[name] = testkit.HoldPort(t).Addr()
	}
	w.origin = "http://" + addresses["envoy"]
	port := func(name string) string { return addresses[name][strings.LastIndexByte(addresses[name], ':')+1:] }
	node := tool(t, "node", "install Node 20 or newer")
	w.issuer = start(t, "authorization server", exec.Command(node, filepath.Join(w.folder, "authserver.mjs"),
		port("issuer")))
	for _, era := range []string{"sessions", "stateless"} {
		w.servers[era] = start(t, "MCP server of "+era, exec.Command(node, filepath.Join(w.folder, "server.mjs"), era,
			port(era)))
	}
	guard := exec.Command(binary, "serve", "--config", testkit.WriteFile(t, filepath.Join(t.TempDir(), "sidecar.yaml"),
		w.configuration(t, addresses)))
	guard.Env = []string{"CLIENT_SECRET=made-up"}
	sidecar := start(t, "sidecar", guard)
	file := testkit.ReadFile(t, "testdata/mcp/envoy.yaml")
	for was, name := range map[string]string{"8080": "envoy", "8190": "grpc", "8181": "api", "9000": "stateless",
		"9001": "sessions"} {
		file = strings.ReplaceAll(file, "port_value: "+was+" ", "port_value: "+port(name)+" ")
	}
	envoy := startEnvoy(t, map[string]string{"envoy.yaml": file}, places{})
	for name, p := range map[string]*process{"issuer": w.issuer, "sessions": w.servers["sessions"],
		"stateless": w.servers["stateless"], "grpc": sidecar, "api": sidecar, "envoy": envoy} {
		p.await(t, 30*time.Second, func() bool { return listens(addresses[name]) })
	}
	return w
}

// configuration is that of the example, for two servers.
func (w *mcpWorld) configuration(t *testing.T, addresses map[string]string) string {
	t.Helper()
	issuer := "http://" + addresses["issuer"]
	out := fmt.Sprintf(`listen: {api: {address: %q}, admin: {address: "127.0.0.1:0"}, grpc: {address: %q}}
issuers:
  - {issuer: %q, introspection_endpoint: %q, allow_insecure_http: true, tenant: [/tenant],
     client: {id: mcp-gateway, secret: {env: CLIENT_SECRET}}}
policies: {paths: [%q], ignore: [sidecar.yaml]}
decision: {entrypoint: notes/decision}
resources:
`, addresses["api"], addresses["grpc"], issuer, issuer+"/introspect", absolute(t, "../../bundles/mcp"))
	for _, path := range []string{"/mcp", "/sessions/mcp"} {
		out += fmt.Sprintf("  - {resource: %q, authorization_servers: [%q], scopes_supported: ["+
			"notes:read], mcp: {eras: [sessions, stateless]}}\n", w.origin+path, issuer)
	}
	return out
}

// mcpFolder has the scripts, beside the packages that the lock file names.
func mcpFolder(t *testing.T) string {
	t.Helper()
	var sources []string
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		sources = append(sources, filepath.Join("testdata", "mcp", name))
	}
	installed := cached(t, "mcp-", sources, func(fresh string) {
		copyInto(t, fresh, sources...)
		command(t, 5*time.Minute, fresh, tool(t, "npm", "install npm"), "ci", "--ignore-scripts", "--cache",
			filepath.Join(cacheDir(t), "npm"))
	})
	dir := t.TempDir()
	scripts, err := filepath.Glob("testdata/mcp/*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	copyInto(t, dir, slices.Sorted(slices.Values(scripts))...)
	if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}
