//go:build real

package realtest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// mcpWorld is three official MCP servers behind Envoy, guarded by the sidecar with the policy of bundles/mcp.
type mcpWorld struct {
	folder, python string
	// origin is where Envoy asks the sidecar over gRPC, and originHTTP where it asks over HTTP.
	origin, originHTTP string
	issuer             *process
	issuerURL          string
	servers            map[string]*process
}

// mcpPaths are the endpoints of the servers.
var mcpPaths = map[string]string{"sessions": "/sessions/mcp", "stateless": "/mcp", "python": "/python/mcp"}

// TestMCP is official clients of both eras against official servers of both: discovery, challenge, step-up, a call
// that is allowed, and calls that are not.
func TestMCP(t *testing.T) {
	t.Parallel()
	w := startMCP(t)
	ran := map[string]int{}
	t.Run("clients", func(t *testing.T) {
		for _, kind := range []string{"sdk1", "sdk2", "sdk2-2026", "py", "py-2026"} {
			for server, path := range mcpPaths {
				ran[server]++
				t.Run(kind+" at "+server, func(t *testing.T) { w.client(t, kind, w.origin+path) })
			}
		}
	})
	t.Run("clients, asked about over HTTP", func(t *testing.T) {
		for kind, server := range map[string]string{"sdk1": "sessions", "sdk2-2026": "stateless", "py": "python"} {
			ran[server]++
			t.Run(kind, func(t *testing.T) { w.client(t, kind, w.originHTTP+mcpPaths[server]) })
		}
	})
	for _, origin := range []string{w.origin, w.originHTTP} {
		for server, path := range mcpPaths {
			t.Run("batch at "+server, func(t *testing.T) { w.batch(t, origin+path, w.servers[server]) })
		}
	}
	for name, server := range w.servers {
		out := testkit.ReadFile(t, server.stdout)
		if strings.Count(out, "ran add_note") != ran[name] || strings.Contains(out, "drop_all") {
			t.Errorf("the server %s, which %d clients called, ran\n%s", name, ran[name], out)
		}
	}
}

// client runs a client, and compares what became of its calls.
func (w *mcpWorld) client(t *testing.T, kind, resource string) {
	program, script := tool(t, "node", "install Node 20 or newer"), filepath.Join(w.folder, "client.mjs")
	if strings.HasPrefix(kind, "py") {
		program, script = filepath.Join(w.python, "bin", "python"), absolute(t, "testdata/mcp-python/client.py")
	}
	out, err := exec.Command(program, script, kind, resource).CombinedOutput()
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
	if !strings.Contains(asked, "asked for notes:read of "+resource+"\n") {
		t.Errorf("the client asked for\n%s", asked)
	}
}

// batch is refused, also with a token that may make the call in it: the same call passes alone.
func (w *mcpWorld) batch(t *testing.T, resource string, server *process) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes","arguments":{},` +
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},` +
		`"io.modelcontextprotocol/clientCapabilities":{}}}}`
	token := w.token(t, resource)
	ran := func() int { return strings.Count(testkit.ReadFile(t, server.stdout), "ran list_notes") }
	before := ran()
	for _, headers := range []map[string]string{
		{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "list_notes"},
		{"Mcp-Protocol-Version": "2025-06-18"}, {},
	} {
		status, body := w.post(t, resource, token, "["+call+"]", headers)
		if status != http.StatusBadRequest || !strings.Contains(body, `"code":-32600`) || ran() != before {
			t.Errorf("with %v: %d %s, and the server ran %d more", headers, status, body, ran()-before)
		}
	}
	if strings.HasSuffix(resource, "/sessions/mcp") {
		return // a call needs a session there
	}
	status, body := w.post(t, resource, token, call, map[string]string{"Mcp-Protocol-Version": "2026-07-28",
		"Mcp-Method": "tools/call", "Mcp-Name": "list_notes"})
	if status != http.StatusOK || ran() != before+1 {
		t.Errorf("alone: %d %s, and the server ran %d more", status, body, ran()-before)
	}
}

// post sends a message.
func (w *mcpWorld) post(t *testing.T, resource, token, message string, headers map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", resource, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// token is one for a resource that may read and write.
func (w *mcpWorld) token(t *testing.T, resource string) string {
	t.Helper()
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{CheckRedirect: stay}
	resp, err := client.Get(w.issuerURL + "/authorize?" + url.Values{"scope": {"notes:read notes:write"},
		"resource": {resource}, "redirect_uri": {"http://127.0.0.1:9/callback"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	resp, err = client.PostForm(w.issuerURL+"/token", url.Values{"code": {back.Query().Get("code")}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.UnmarshalRead(resp.Body, &answer); err != nil || answer.Token == "" {
		t.Fatal(resp.Status, err)
	}
	return answer.Token
}

func startMCP(t *testing.T) *mcpWorld {
	t.Helper()
	w := &mcpWorld{folder: mcpFolder(t), python: pythonEnvironment(t, "mcp-python"), servers: map[string]*process{}}
	addresses := map[string]string{}
	for _, name := range []string{"envoy", "envoy-http", "grpc", "http", "api", "issuer", "sessions",
		"stateless", "python"} {
		addresses[name] = testkit.HoldPort(t).Addr()
	}
	w.origin, w.originHTTP = "http://"+addresses["envoy"], "http://"+addresses["envoy-http"]
	w.issuerURL = "http://" + addresses["issuer"]
	port := func(name string) string { return addresses[name][strings.LastIndexByte(addresses[name], ':')+1:] }
	node := tool(t, "node", "install Node 20 or newer")
	w.issuer = start(t, "authorization server", exec.Command(node, filepath.Join(w.folder, "authserver.mjs"),
		port("issuer")))
	for _, era := range []string{"sessions", "stateless"} {
		w.servers[era] = start(t, "MCP server of "+era, exec.Command(node, filepath.Join(w.folder, "server.mjs"), era,
			port(era)))
	}
	w.servers["python"] = start(t, "MCP server in Python", exec.Command(filepath.Join(w.python, "bin", "python"),
		absolute(t, "testdata/mcp-python/server.py"), port("python")))
	guard := exec.Command(binary, "serve", "--config", testkit.WriteFile(t, filepath.Join(t.TempDir(), "sidecar.yaml"),
		w.configuration(t, addresses)))
	guard.Env = []string{"CLIENT_SECRET=made-up"}
	sidecar := start(t, "sidecar", guard)
	file := testkit.ReadFile(t, "testdata/mcp/envoy.yaml")
	for was, name := range map[string]string{"8080": "envoy", "8081": "envoy-http", "8190": "grpc", "8191": "http",
		"8181": "api", "9000": "stateless", "9001": "sessions", "9002": "python"} {
		file = strings.ReplaceAll(file, "port_value: "+was+" ", "port_value: "+port(name)+" ")
	}
	envoy := startEnvoy(t, map[string]string{"envoy.yaml": file}, places{})
	for name, p := range map[string]*process{"issuer": w.issuer, "sessions": w.servers["sessions"],
		"stateless": w.servers["stateless"], "python": w.servers["python"], "grpc": sidecar, "http": sidecar,
		"api": sidecar, "envoy": envoy, "envoy-http": envoy} {
		p.await(t, 30*time.Second, func() bool { return listens(addresses[name]) })
	}
	return w
}

// configuration is that of the example, for three servers at two addresses.
func (w *mcpWorld) configuration(t *testing.T, addresses map[string]string) string {
	t.Helper()
	out := fmt.Sprintf(`listen:
  {api: {address: %q}, admin: {address: "127.0.0.1:0"}, grpc: {address: %q},
   forward_auth: [{name: envoy, profile: envoy, address: %q}]}
issuers:
  - {issuer: %q, introspection_endpoint: %q, allow_insecure_http: true, tenant: [/tenant],
     client: {id: mcp-gateway, secret: {env: CLIENT_SECRET}}}
policies: {paths: [%q], ignore: [sidecar.yaml]}
decision: {entrypoint: notes/decision}
resources:
`, addresses["api"], addresses["grpc"], addresses["http"], w.issuerURL, w.issuerURL+"/introspect",
		absolute(t, "../../bundles/mcp"))
	for _, origin := range []string{w.origin, w.originHTTP} {
		for _, path := range mcpPaths {
			out += fmt.Sprintf("  - {resource: %q, authorization_servers: [%q], scopes_supported: ["+
				"notes:read], mcp: {eras: [sessions, stateless]}}\n", origin+path, w.issuerURL)
		}
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
