//go:build real

package realtest

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// setup is how one sidecar of a test is configured.
type setup struct {
	issuer string // the authorization server's part of the configuration, indented as an item of a list
	secret string // of the sidecar, as a client
	// policies is a directory; empty for the shipped policies.
	policies string
	// more is added to the configuration, whole sections of it; env to the environment, as NAME=value.
	more string
	env  []string
	// admin is the port of the admin listener; 0 is a free one.
	admin int
}

// sidecar is a process of the binary under test.
type sidecar struct {
	*process
	api, admin string
	decisions  string // file of the decision log; empty when it goes to standard output alone
	mu         sync.Mutex
	answers    bytes.Buffer // everything that it answered; guarded by mu
}

// routes are added to the shipped ones: the data of a second directory joins that of the first.
const routes = `/shipments:
  GET:
    id: list_shipments
    scopes: [orders:read]
    audience: [shipping-api]
    tenant: {header: x-tenant}
`

// policyPaths is where the policies of s are, as items of a list. What is not shipped is written to dir.
func (s setup) policyPaths(t *testing.T, dir string) string {
	t.Helper()
	if s.policies != "" {
		return fmt.Sprintf("%q", absolute(t, s.policies))
	}
	testkit.WriteFile(t, filepath.Join(dir, "routes", "data.yaml"), routes)
	return fmt.Sprintf("%q, %q", absolute(t, "../../policies"), dir)
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startSidecar runs "sidecar serve" with the policies of s. At the end of t it is stopped, and everything it wrote and
// answered is searched for what v knows.
func startSidecar(t *testing.T, v vault, s setup) *sidecar {
	t.Helper()
	dir := t.TempDir()
	sc := &sidecar{decisions: filepath.Join(dir, "decisions.jsonl")}
	file := testkit.WriteFile(t, filepath.Join(dir, "sidecar.yaml"), fmt.Sprintf(`
listen:
  api: {address: "127.0.0.1:0"}
  admin: {address: "127.0.0.1:%d"}
issuers:
%s
policies: {paths: [%s]}
engine: {deadline: 2s}
decision: {realm: acme}
decision_log: {stdout: true, file: %q}
telemetry: {log: {level: debug, format: json}}
%s
`, s.admin, s.issuer, s.policyPaths(t, filepath.Join(dir, "more")), sc.decisions, s.more))

	cmd := exec.Command(binary, "serve", "--config", file)
	cmd.Env = append(s.env, "CLIENT_SECRET="+s.secret)
	sc.run(t, v, cmd)
	return sc
}

// run starts cmd, a sidecar with its log in JSON, and waits until it is ready.
func (sc *sidecar) run(t *testing.T, v vault, cmd *exec.Cmd) {
	t.Helper()
	sc.process = start(t, "sidecar", cmd)
	sc.await(t, 30*time.Second, sc.findAddresses)
	t.Cleanup(func() { sc.finish(t, v) })
	sc.await(t, 30*time.Second, func() bool { return responds(sc.api + "/readyz") })
}

// findAddresses reads from the log where the sidecar listens.
func (sc *sidecar) findAddresses() bool {
	var api, admin string
	for _, line := range lines(sc.stderr) {
		var entry struct {
			Message string `json:"msg"`
			API     string `json:"api"`
			Admin   string `json:"admin"`
		}
		if json.Unmarshal(line, &entry) == nil && entry.Message == "serving" {
			api, admin = entry.API, entry.Admin
		}
	}
	sc.api, sc.admin = "http://"+api, "http://"+admin
	return api != ""
}

// lines reads a file that is still being written to: nil when there is none yet.
func lines(name string) [][]byte {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return bytes.Split(b, []byte("\n"))
}

// fetch reads a page that must be there.
func fetch(url string) ([]byte, error) {
	resp, err := client().Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("get %s: %s", url, resp.Status)
	}
	return body, err
}

func responds(url string) bool {
	_, err := fetch(url)
	return err == nil
}

// asked reads from the metrics how many questions to authorization servers ended so.
func (sc *sidecar) asked(t *testing.T, outcome string) int {
	t.Helper()
	metrics, err := fetch(sc.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, m := range regexp.MustCompile(`(?m)^sidecar_introspect_call_duration_seconds_count\{.*outcome="`+outcome+
		`".*\} (\d+)$`).FindAllSubmatch(metrics, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// finish stops the sidecar and looks for secrets in everything it said.
func (sc *sidecar) finish(t *testing.T, v vault) {
	t.Helper()
	said := map[string][]byte{"answers": sc.answers.Bytes()}
	for name, path := range map[string]string{"metrics": "/metrics", "status": "/v1/status"} {
		body, err := fetch(sc.admin + path)
		if err != nil {
			t.Errorf("read the %s of the sidecar: %v", name, err)
		}
		said[name] = body
	}
	sc.stop(t)
	if sc.err != nil {
		t.Errorf("the sidecar ended badly: %v\n%s", sc.err, sc.log(t))
	}
	said["stdout"], said["stderr"] = []byte(testkit.ReadFile(t, sc.stdout)), []byte(testkit.ReadFile(t, sc.stderr))
	if sc.decisions != "" {
		said["decision log"] = []byte(testkit.ReadFile(t, sc.decisions))
	}
	for name, text := range said {
		if len(text) == 0 {
			t.Errorf("the %s of the sidecar is empty: nothing was looked at", name)
		}
		if names := v.found(text); len(names) > 0 {
			t.Errorf("the %s of the sidecar holds: %s", name, strings.Join(names, ", "))
		}
	}
}

// publicURL is how the URLs of the API behind the sidecar begin.
const publicURL = "https://orders.acme.example"

// question is a request to the API behind the sidecar.
type question struct {
	token, method, path, tenant string
}

// answer is what the sidecar says of it.
type answer struct {
	ID      string `json:"decision_id"`
	Allow   bool   `json:"allow"`
	Kind    string `json:"kind"`
	Status  int    `json:"status"`
	Reasons []struct {
		Code string `json:"code"`
	} `json:"reasons"`
	Headers  map[string][]string `json:"headers"`
	Upstream map[string][]string `json:"upstream_headers"`
}

// String is the answer in a few words, for tables and for comparing.
func (a answer) String() string {
	var codes []string
	for _, r := range a.Reasons {
		codes = append(codes, r.Code)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %s", a.Kind, a.Status, strings.Join(codes, "+")))
}

func (a answer) header(name string) string { return strings.Join(a.Headers[name], ", ") }

// holder is what a client presents beside a token that is bound to a key. The zero value presents a bearer token.
type holder struct {
	scheme      string
	proofs      []string
	certificate string // PEM
}

// decide asks the sidecar.
func (sc *sidecar) decide(t *testing.T, q question) answer {
	t.Helper()
	return sc.shown(t, q, holder{})
}

// shown asks the sidecar about the request of a client that presents more than a token.
func (sc *sidecar) shown(t *testing.T, q question, h holder) answer {
	t.Helper()
	headers := map[string][]string{"x-tenant": {q.tenant}}
	if q.token != "" {
		headers["authorization"] = []string{cmp.Or(h.scheme, "Bearer") + " " + q.token}
	}
	if h.proofs != nil {
		headers["dpop"] = h.proofs
	}
	request := map[string]any{"method": q.method, "url": publicURL + q.path, "headers": headers}
	if h.certificate != "" {
		request["client_certificate"] = h.certificate
	}
	body, err := json.Marshal(map[string]any{"request": request})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client().Post(sc.api+"/v1/decisions", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatalf("ask the sidecar: %v\n%s", err, sc.log(t))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	sc.mu.Lock()
	sc.answers.Write(text)
	sc.mu.Unlock()
	var a answer
	if err := json.Unmarshal(text, &a); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("ask the sidecar: status %d, %v: %s", resp.StatusCode, err, text)
	}
	if a.Allow != (a.Kind == "allow") {
		t.Errorf("allow is %v, and the kind is %s", a.Allow, a.Kind)
	}
	return a
}

// facts are what a policy read about the token, as the decision log tells.
type facts struct {
	Kind      string   `json:"kind"`
	Active    bool     `json:"active"`
	Source    string   `json:"source"`
	Issuer    string   `json:"issuer"`
	ClientID  string   `json:"client_id"`
	Scopes    []string `json:"scopes"`
	Audiences []string `json:"audiences"`
	Tenant    string   `json:"tenant"`
	Roles     []string `json:"roles"`
	Binding   binding  `json:"binding"`
	Subject   struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Username string `json:"username"`
	} `json:"subject"`
}

// binding is what a policy read about the key that the token is bound to.
type binding struct {
	Method   string `json:"method"`
	Verified bool   `json:"verified"`
}

// logged waits for the event of a decision and returns the facts it was made from.
func (sc *sidecar) logged(t *testing.T, id string) facts {
	t.Helper()
	var found facts
	testkit.Within(t, 10*time.Second, "find decision "+id+" in the decision log", func() bool {
		for _, name := range []string{sc.decisions, sc.stdout} {
			if !eventOf(name, id, &found) {
				return false
			}
		}
		return true
	})
	return found
}

func eventOf(file, id string, to *facts) bool {
	for _, line := range lines(file) {
		var event struct {
			ID    string `json:"decision_id"`
			Input struct {
				Token facts `json:"token"`
			} `json:"input"`
		}
		if json.Unmarshal(line, &event) == nil && event.ID == id {
			*to = event.Input.Token
			return true
		}
	}
	return false
}
