//go:build real

package realtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// gateway is a real gateway that asks the sidecar about each request.
type gateway struct {
	name string
	page string // of docs/gateways
	// sidecar is the sidecar's file of the page, when it is another than sidecar.yaml.
	sidecar string
	// start runs the gateway with the files of its page and returns where it listens.
	start func(t *testing.T, files map[string]string, at places) *process
	// loses is what that gateway, by its nature, cannot pass on of a refusal: its page says so.
	loses func(gatewayExpectation) gatewayExpectation
	// noMetadata is set when the page does not route the metadata of protected resources.
	noMetadata bool
	// down is the status while the sidecar is stopped, and hung while it does not answer.
	down, hung int
}

// places are the addresses that a test gives to a gateway.
type places struct{ listen, sidecar, application, api string }

// in puts the addresses into a file of a page.
func (p places) in(file string) string {
	var pairs []string
	for documented, here := range map[string]string{"8080": p.listen, "8190": p.sidecar, "9000": p.application,
		"8181": p.api} {
		_, port, _ := strings.Cut(here, ":")
		pairs = append(pairs, ":"+documented, ":"+port, "port_value: "+documented, "port_value: "+port)
	}
	return strings.NewReplacer(pairs...).Replace(file)
}

// TestGateways sends the same requests through each gateway.
func TestGateways(t *testing.T) {
	results := &gatewayTable{cells: map[[2]string]string{}}
	t.Run("all", func(t *testing.T) {
		for _, gw := range gateways() {
			t.Run(gw.name, func(t *testing.T) {
				t.Parallel()
				gw.run(t, results)
			})
		}
	})
	t.Logf("what clients got, and whether the application was asked:\n%s", results)
}

// run takes one gateway through all cases.
func (gw gateway) run(t *testing.T, results *gatewayTable) {
	results.add(gw.name)
	files := pageFiles(t, gw.page)
	app := startApplication(t)
	g := startGuard(t, files[cmp.Or(gw.sidecar, "sidecar.yaml")])
	way := startLink(t, g.door)
	at := places{listen: testkit.HoldPort(t).Addr(), sidecar: way.listener.Addr().String(), application: app.address(),
		api: strings.TrimPrefix(g.api, "http://")}
	program := gw.start(t, files, at)
	program.await(t, 30*time.Second, func() bool { return listens(at.listen) })
	for i, c := range gatewayCases() {
		if gw.loses != nil {
			c.want = gw.loses(c.want)
		}
		trial := gatewayTrial{gatewayCase: c, id: fmt.Sprintf("%s-%d", gw.name, i), guard: g, app: app}
		t.Run(c.name, func(t *testing.T) { results.set(c.name, gw.name, trial.run(t, at.listen)) })
	}
	if !gw.noMetadata {
		gw.metadata(t, results, app, at.listen)
	}
	gatewayOutage{gw, results, g, app, way, at.listen}.run(t)
}

// metadata reads what the sidecar tells clients without a token, and tries to reach more of its API in that way.
func (gw gateway) metadata(t *testing.T, results *gatewayTable, app *application, address string) {
	before := len(app.requests())
	t.Run("metadata of a resource", func(t *testing.T) {
		a := wireRequest{target: "/.well-known/oauth-protected-resource/notes"}.exchange(t, address)
		if a.status != http.StatusOK || !strings.Contains(a.body, `"resource":"https://app.example.test/notes"`) {
			t.Errorf("the client gets %d: %s", a.status, a.body)
		}
		results.set("metadata of a resource", gw.name, gatewayCell(a, ""))
	})
	for _, target := range []string{"/.well-known/oauth-protected-resource/../../v1/status",
		"/.well-known/oauth-protected-resource/%2e%2e/%2e%2e/v1/openapi.json", "/v1/openapi.json", "/readyz",
		"/x/../.well-known/oauth-protected-resource/notes/../../../readyz"} {
		q := wireRequest{target: target, host: "localhost"}
		if a := q.exchange(t, address); a.status < 400 {
			t.Errorf("%s: the client gets %d: %s", target, a.status, a.body)
		}
	}
	if after := app.requests()[before:]; len(after) > 0 {
		t.Errorf("the application got %v", after)
	}
}

// gatewayOutage is what a gateway does without the sidecar.
type gatewayOutage struct {
	gateway
	results *gatewayTable
	guard   *guard
	app     *application
	way     *link
	address string
}

// run takes the sidecar away in several ways: no request passes, and the gateway recovers.
func (o gatewayOutage) run(t *testing.T) {
	for _, fault := range []linkFault{linkBreaks, linkChatters} {
		o.way.set(fault)
		o.ask(t, "sidecar "+string(fault), 0)
	}
	o.way.set(linkWorks)
	t.Run("sidecar is back", func(t *testing.T) {
		testkit.Within(t, 20*time.Second, "pass a request again", func() bool {
			return wireRequest{header: o.guard.credentials(readerToken)}.exchange(t, o.address).status == http.StatusOK
		})
	})
	resume := o.guard.hang(t)
	o.ask(t, "sidecar hangs", o.hung)
	resume()
	o.guard.end(t)
	o.way.end()
	o.ask(t, "sidecar is stopped", o.down)
}

// ask sends a request that would be allowed. A want of 0 is any status from 500.
func (o gatewayOutage) ask(t *testing.T, name string, want int) {
	t.Run(name, func(t *testing.T) {
		before := len(o.app.requests())
		a := wireRequest{header: o.guard.credentials(readerToken)}.exchange(t, o.address)
		if want == 0 && a.status < 500 || want != 0 && a.status != want {
			t.Errorf("the client gets %d, want %d", a.status, want)
		}
		if after := o.app.requests()[before:]; len(after) > 0 {
			t.Errorf("without a decision the application got %v", after)
		}
		o.results.set(name, o.name, gatewayCell(a, ""))
	})
}

// gatewayTrial is a case with one gateway.
type gatewayTrial struct {
	gatewayCase
	id    string
	guard *guard
	app   *application
}

// run sends the request, looks at both ends and at the decision, and returns what the table says.
func (c gatewayTrial) run(t *testing.T, address string) string {
	q := c.request
	q.header = slices.Concat(c.guard.credentials(c.token), q.header, []field{{"X-Case", c.id}})
	if c.outage {
		authserver.FailIntrospection(c.guard.issuer, authserver.Answer(http.StatusServiceUnavailable, "", "{}"))
		defer authserver.FailIntrospection(c.guard.issuer, nil)
	}
	a := q.exchange(t, address)
	seen := c.got()
	c.compare(t, a)
	switch {
	case len(seen) > 1:
		t.Errorf("the application got %d requests", len(seen))
	case len(seen) == 1 && a.status >= 300:
		t.Errorf("the client gets %d, and the application got %s %s", a.status, seen[0].method, seen[0].target)
	case len(seen) == 0 && a.status < 300:
		t.Errorf("the client gets %d from a gateway that has not asked the application", a.status)
	case len(seen) == 1 && !c.want.passes():
		t.Errorf("the application got %s %s", seen[0].method, seen[0].target)
	case len(seen) == 1:
		c.passedOn(t, q, seen[0])
		return gatewayCell(a, "passed")
	}
	return gatewayCell(a, "")
}

// got are the requests of the case that came to the application.
func (c gatewayTrial) got() []wireSeen {
	return slices.DeleteFunc(c.app.requests(), func(s wireSeen) bool { return s.value("X-Case") != c.id })
}

// compare compares what the client got.
func (c gatewayTrial) compare(t *testing.T, a wireAnswer) {
	t.Helper()
	if c.want.either && (a.status == c.want.status || a.status >= 400 && a.status != 500) {
		return
	}
	if a.status != c.want.status {
		t.Errorf("the client gets %d, want %d: %s", a.status, c.want.status, a.body)
	}
	if c.want.status == http.StatusSwitchingProtocols && a.body != "pong" {
		t.Errorf("through the upgraded connection came %q", a.body)
	}
	got := strings.Join(a.header.Values("WWW-Authenticate"), ", ")
	for _, part := range c.want.challenge {
		if !strings.Contains(got, part) {
			t.Errorf("the challenge is %q, want %s in it", got, part)
		}
	}
	if c.want.retry && a.header.Get("Retry-After") == "" {
		t.Error("Retry-After is missing")
	}
}

// passedOn compares what the application got with what the client sent, and with what was decided about.
func (c gatewayTrial) passedOn(t *testing.T, q wireRequest, s wireSeen) {
	t.Helper()
	method, target := cmp.Or(q.method, "GET"), cmp.Or(q.target, "/things")
	if s.method != method || s.target != target || s.body != q.body {
		t.Errorf("the client sent %s %s with %d bytes, the application got %s %s with %d", method, target,
			len(q.body), s.method, s.target, len(s.body))
	}
	want := map[string]string{"X-Subject": gatewaySubject, "X-Tenant": gatewayTenant}
	if c.anonymous {
		want = map[string]string{"X-Subject": "", "X-Tenant": ""}
	}
	for name, value := range want {
		if got := s.value(name); got != value || len(s.values(name)) > 1 {
			t.Errorf("the application gets %s %q, want %q", name, s.values(name), value)
		}
	}
	for _, f := range s.header {
		if strings.Contains(f.value, "mallory") { // no token is so by chance
			t.Errorf("the application gets the client's %s: %s", f.name, f.value)
		}
	}
	var found []guardDecision
	testkit.Within(t, 10*time.Second, "find the decision in the log", func() bool {
		found = c.guard.decided(t, c.id)
		return len(found) > 0
	})
	rawPath, _, _ := strings.Cut(s.target, "?")
	for _, d := range found {
		r := d.Input.Request
		if d.Custom.Kind != "allow" || r.Method != s.method || r.RawPath != rawPath ||
			r.Host != "app.example.test" {
			t.Errorf("decided: %s; passed on: %s %s", d, s.method, s.target)
		}
	}
}

// gatewayTable is a table in Markdown: a row for a case, a column for a gateway.
type gatewayTable struct {
	mu         sync.Mutex
	rows, cols []string
	cells      map[[2]string]string
}

func (tb *gatewayTable) add(gateway string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.cols = append(tb.cols, gateway)
	slices.Sort(tb.cols)
}

func (tb *gatewayTable) set(row, column, cell string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if !slices.Contains(tb.rows, row) {
		tb.rows = append(tb.rows, row)
	}
	tb.cells[[2]string{row, column}] = cell
}

func (tb *gatewayTable) String() string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "| case | %s |\n|---|%s\n", strings.Join(tb.cols, " | "), strings.Repeat("---|", len(tb.cols)))
	for _, row := range tb.rows {
		fmt.Fprintf(&b, "| %s |", strings.ReplaceAll(row, "|", `\|`))
		for _, column := range tb.cols {
			fmt.Fprintf(&b, " %s |", tb.cells[[2]string{row, column}])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// gatewayCell is an answer in a few words.
func gatewayCell(a wireAnswer, more string) string {
	words := []string{fmt.Sprint(a.status)}
	if a.status == 0 {
		words = []string{"closed"}
	}
	if c := a.header.Get("WWW-Authenticate"); c != "" {
		_, rest, found := strings.Cut(c, `error="`)
		code, _, _ := strings.Cut(rest, `"`)
		if !found {
			code = "challenge"
		}
		words = append(words, code)
	}
	if a.header.Get("Retry-After") != "" {
		words = append(words, "Retry-After")
	}
	if more != "" {
		words = append(words, more)
	}
	return strings.Join(words, " ")
}
