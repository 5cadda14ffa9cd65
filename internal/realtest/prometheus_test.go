//go:build real

package realtest

import (
	"fmt"
	"math"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// ordersAPI is the audience of the API whose deployment is shipped.
const ordersAPI = "https://orders.acme.example"

// ordersServer is an authorization server with the client of the shipped configuration, its secret, and a token that
// reads orders.
func ordersServer(t *testing.T, v vault) (as *devissuer.Server, key, token string) {
	t.Helper()
	key = v.secret("secret of orders-api")
	as = authserver.Start(t, devissuer.Config{ResourceServers: []devissuer.ResourceServer{
		{ID: "orders-api", Secret: secret.New(key), Audience: []string{ordersAPI}},
	}})
	token, err := as.Issue(devissuer.Grant{ClientID: "orders-app", Scopes: []string{"orders:read"},
		Audience: []string{ordersAPI}})
	if err != nil {
		t.Fatal(err)
	}
	return as, key, v.keep("access token", token)
}

// monitored is a sidecar with all parts that count something, and tokens that end in decisions of several kinds.
func monitored(t *testing.T) (*sidecar, []string) {
	t.Helper()
	v := vault{}
	as, key, token := ordersServer(t, v)
	sc := startSidecar(t, v, setup{secret: key, policies: kubernetesFolder + "/policies", issuer: acme(as), more: `
events:
  - issuer: acme
    shared_signals: {delivery: push, manage: "off", audience: [orders-api], authorization: {env: STREAM}}`,
		env: []string{"STREAM=" + v.secret("authorization of the stream")}})
	return sc, []string{token, v.secret("token of another server"), ""}
}

// acme is an issuer of the configuration: the server of ordersServer, whose answers are kept for a second.
func acme(as *devissuer.Server) string {
	return fmt.Sprintf(`
  - name: acme
    issuer: %q
    allow_insecure_http: true
    client: {id: orders-api, secret: {env: CLIENT_SECRET}}
    audience: [%q]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}`, as.Issuer(), ordersAPI)
}

// prometheus is one that reads a sidecar, by its HTTP API.
type prometheus struct{ api string }

// startPrometheus runs Prometheus with the shipped configuration for clusters and the shipped rules, but in the time
// of a test. That the pods are found is left to Kubernetes: they are named, with the labels that discovery gives them.
func startPrometheus(t *testing.T, sc *sidecar) prometheus {
	t.Helper()
	program := tool(t, "prometheus", "apt-get install --no-install-recommends prometheus")
	config := testkit.ReadFile(t, filepath.Join(prometheusFolder, "scrape-kubernetes.yaml"))
	address := strings.TrimPrefix(sc.admin, "http://")
	pod := "{__meta_kubernetes_namespace: orders, __meta_kubernetes_pod_name: orders-0, " +
		"__meta_kubernetes_pod_container_name: %s, __meta_kubernetes_pod_container_port_name: %s}"
	for _, change := range [][2]string{
		{"15s", "1s"},
		{"[rules.yaml]", "[" + absolute(t, filepath.Join(prometheusFolder, "rules.yaml")) + "]"},
		{"    kubernetes_sd_configs:\n      - role: pod\n", fmt.Sprintf("    static_configs:\n"+
			"      - {targets: [%q], labels: "+pod+"}\n      - {targets: [%q], labels: "+pod+"}\n",
			address, "sidecar", "metrics", "127.0.0.1:1", "orders", "http")},
	} {
		if !strings.Contains(config, change[0]) {
			t.Fatalf("the configuration of Prometheus has no %q", change[0])
		}
		config = strings.ReplaceAll(config, change[0], change[1])
	}
	at := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := prometheus{"http://" + at}
	cmd := exec.Command(program, "--config.file="+testkit.TempFile(t, "prometheus.yaml", config),
		"--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+at)
	proc := start(t, "prometheus", cmd)
	proc.await(t, time.Minute, func() bool { return responds(p.api + "/-/ready") })
	return p
}

// get asks the HTTP API, whose data is read into to.
func (p prometheus) get(t *testing.T, path string, query url.Values, to any) {
	t.Helper()
	body, err := fetch(p.api + path + "?" + query.Encode())
	answer := struct {
		Status string         `json:"status"`
		Data   jsontext.Value `json:"data"`
	}{}
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err == nil {
		err = json.Unmarshal(answer.Data, to)
	}
	if err != nil || answer.Status != "success" {
		t.Fatalf("ask Prometheus for %s %v: %v", path, query, err)
	}
}

// samples is how many series a query finds, whose value is a number.
func (p prometheus) samples(t *testing.T, expr string) int {
	t.Helper()
	var found struct {
		Result []struct {
			Value [2]any `json:"value"`
		} `json:"result"`
	}
	p.get(t, "/api/v1/query", url.Values{"query": {expr}}, &found)
	n := 0
	for _, r := range found.Result {
		text, _ := r.Value[1].(string)
		if value, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(value) {
			n++
		}
	}
	return n
}

// panelQuery is a query of the dashboard, with what Grafana would put in place of its variables.
type panelQuery struct{ panel, expr string }

// board is the dashboard, as far as queries are in it.
type board struct {
	Panels []struct {
		Title   string `json:"title"`
		Type    string `json:"type"`
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

func readBoard(t *testing.T) board {
	t.Helper()
	var b board
	if err := json.Unmarshal([]byte(testkit.ReadFile(t, dashboardFile)), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// variables are what Grafana puts in place of the variables of a query when "All" is chosen.
var variables = strings.NewReplacer("$job", ".*", "$instance", ".*", "$issuer", ".*", "$__rate_interval", "10s")

func panelQueries(t *testing.T) []panelQuery {
	t.Helper()
	var queries []panelQuery
	for _, p := range readBoard(t).Panels {
		for _, target := range p.Targets {
			queries = append(queries, panelQuery{p.Title, variables.Replace(target.Expr)})
		}
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("panel %q asks nothing", p.Title)
		}
	}
	return queries
}

// answered reports whether a query finds a number. That of the canary may find none: the development server gives a
// resource server no token of its own, so that there is no canary.
func (p prometheus) answered(t *testing.T, q panelQuery) bool {
	t.Helper()
	return p.samples(t, q.expr) > 0 || strings.Contains(q.expr, "sidecar_introspect_canary_failing")
}

// checkVariables asks for the values of the variables, as Grafana does.
func (p prometheus) checkVariables(t *testing.T) {
	t.Helper()
	form := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	want := map[string]string{"job": "sidecar", "instance": "orders/orders-0", "issuer": "acme"}
	for _, v := range readBoard(t).Templating.List {
		m := form.FindStringSubmatch(v.Definition)
		if v.Type == "datasource" {
			continue
		}
		var values []string
		if m != nil {
			p.get(t, "/api/v1/label/"+m[2]+"/values", url.Values{"match[]": {variables.Replace(m[1])}}, &values)
		}
		if len(values) != 1 || values[0] != want[v.Name] {
			t.Errorf("variable %s: %q has the values %q, want %q", v.Name, v.Definition, values, want[v.Name])
		}
	}
}

// checkRules looks whether Prometheus can evaluate every rule, and whether a sidecar that is well fires none.
func (p prometheus) checkRules(t *testing.T) {
	t.Helper()
	type rule struct {
		Name      string `json:"name"`
		Health    string `json:"health"`
		LastError string `json:"lastError"`
		State     string `json:"state"`
	}
	var found struct {
		Groups []struct {
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	testkit.Eventually(t, "every rule is evaluated", func() bool {
		p.get(t, "/api/v1/rules", nil, &found)
		for _, g := range found.Groups {
			for _, r := range g.Rules {
				if r.Health == "unknown" {
					return false
				}
			}
		}
		return len(found.Groups) > 0
	})
	for _, r := range found.Groups[0].Rules {
		if r.Health != "ok" || r.State != "inactive" {
			t.Errorf("rule %s: it is %s (%s) and %s", r.Name, r.Health, r.LastError, r.State)
		}
	}
	t.Logf("%d rules are healthy, and none fires", len(found.Groups[0].Rules))
}
