package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/policytest"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// initialized is a new directory, the working directory from now on, with what init writes for a server.
func initialized(t *testing.T, s *devissuer.Server) {
	t.Helper()
	t.Chdir(t.TempDir())
	if code, out, errs := sidecar(t, "a-secret-of-orders\n", "init", "--issuer", s.Issuer(), "--client-id",
		"orders-api", "--audience", "orders-api"); code != exitOK {
		t.Fatalf("init: exit %d\n%s%s", code, out, errs)
	}
}

// succeeds runs a command that must end with 0, and returns all that it printed.
func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := sidecar(t, "", args...)
	if code != exitOK {
		t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
	}
	return out + errs
}

// served runs "sidecar serve" in the working directory until the test ends, and returns the address of its API.
func served(t *testing.T) string {
	t.Helper()
	t.Setenv("SIDECAR_LISTEN_API_ADDRESS", "127.0.0.1:0")
	t.Setenv("SIDECAR_LISTEN_ADMIN_ADDRESS", "127.0.0.1:0")
	t.Setenv("SIDECAR_ISSUERS_0_TIMEOUT", "20s")
	ctx, cancel := context.WithCancel(context.Background())
	var errs testkit.LogBuffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve"}, streams{in: strings.NewReader(""), out: io.Discard, err: &errs})
	}()
	t.Cleanup(func() { cancel(); <-done })
	address := regexp.MustCompile(`msg=serving api=(\S+)`)
	testkit.Eventually(t, "it serves", func() bool { return address.MatchString(errs.String()) })
	return "http://" + address.FindStringSubmatch(errs.String())[1]
}

// asked is the decision about a request.
func asked(t *testing.T, api, method, path, token string) string {
	t.Helper()
	body := `{"request": {"method": "` + method + `", "url": "` + path + `", "headers": {"authorization": ["Bearer ` +
		token + `"]}}}`
	resp, err := http.Post(api+"/v1/decisions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestWhatInitWroteIsTestedCheckedAndServed goes the way of a newcomer: init, test, check, a route, serve.
func TestWhatInitWroteIsTestedCheckedAndServed(t *testing.T) {
	s := issuerOfOrders(t)
	initialized(t, s)
	if got := succeeds(t, "test"); !strings.Contains(got, "4 ") {
		t.Errorf("test: %s", got)
	}
	if got := succeeds(t, "check"); strings.Contains(got, "warning") || strings.Contains(got, "hint") {
		t.Errorf("check has something to say: %s", got)
	}
	succeeds(t, "check", "--online")

	routes := filepath.Join("policies", "routes", "data.yaml")
	testkit.WriteFile(t, routes, testkit.ReadFile(t, routes)+`
/tenants:
  /*:
    /admin:
      GET: {id: admin, scopes: ["docs:admin"], audience: [orders-api], tenant: {segment: 1}, roles: [admin]}
`)
	succeeds(t, "check")
	token, err := s.Issue(devissuer.Grant{ClientID: "orders-api", Audience: []string{"orders-api"},
		Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	api := served(t)
	for _, c := range []struct {
		method, path string
		want         []string
	}{
		{"GET", "/hello", []string{`"allow":true`, `"X-Client-Id":["orders-api"]`}},
		{"POST", "/hello", []string{`"status":403`, `"insufficient_scope"`, `scope=\"write\"`}},
		{"GET", "/tenants/globex/admin", []string{`"status":403`, `"insufficient_scope"`, `"missing_role"`,
			`"wrong_tenant"`}},
		{"GET", "/nowhere", []string{`"status":403`, `"no_route"`}},
	} {
		got := asked(t, api, c.method, c.path, token)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %s: got %s, want %s in it", c.method, c.path, got, want)
			}
		}
	}
	testkit.WriteFile(t, routes, strings.Replace(testkit.ReadFile(t, routes), "scopes: [write]", "scopes: [read]", 1))
	testkit.Eventually(t, "a changed route decides",
		func() bool { return strings.Contains(asked(t, api, "POST", "/hello", token), `"allow":true`) })
}

func TestAMistakeInARouteThatInitWroteHasAPlace(t *testing.T) {
	initialized(t, issuerOfOrders(t))
	routes := filepath.Join("policies", "routes", "data.yaml")
	testkit.WriteFile(t, routes, strings.Replace(testkit.ReadFile(t, routes), "scopes: [read]", "scope: [read]", 1))
	if code, out, _ := sidecar(t, "", "check"); code != exitNotCompile ||
		!strings.Contains(out, "policies/routes/data.yaml:18:3: policy_error: /hello GET: ") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestTheFirstSuitePassesForEachKindOfServer compares the suite, the policy and the configuration with each other.
func TestTheFirstSuitePassesForEachKindOfServer(t *testing.T) {
	var policy *engine.Policy // the same for each
	for _, kind := range (dialect.Config{}).Words("dialect") {
		possible := 0
		for _, mode := range []string{"introspect", "jwt"} {
			s := start{Issuer: "https://login.acme.example", ClientID: "orders-api", Dialect: kind, Mode: mode,
				Auth: "client_secret_basic", Audience: "orders-api", dir: t.TempDir(), typed: []byte("a secret\n")}
			cfg, err := s.trialConfig()
			if err != nil {
				continue // this kind of server cannot do that, as init says
			}
			possible++
			if policy == nil {
				if _, policy, err = app.Load(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			}
			firstSuitePasses(t, s, policy)
		}
		if possible == 0 {
			t.Errorf("%s: init can write nothing", kind)
		}
	}
}

func firstSuitePasses(t *testing.T, s start, policy *engine.Policy) {
	t.Helper()
	files, err := s.files()
	if err != nil {
		t.Fatal(err)
	}
	if err := (&layout{dir: s.dir}).write(files); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(s.target(), nil)
	if err != nil {
		t.Fatal(err)
	}
	suites, err := policytest.LoadSuites(cfg, []string{filepath.Join(s.dir, "policy_test")})
	if err != nil {
		t.Fatal(err)
	}
	results, err := policytest.Decisions(t.Context(), policy, cfg, suites)
	if err != nil || len(results) != 4 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for _, r := range results {
		if r.Outcome != policytest.Passed {
			t.Errorf("%s, %s: %s", s.Dialect, s.Mode, r)
		}
	}
}

func TestAnEditorFindsTheSchemaOfWhatInitWrote(t *testing.T) {
	initialized(t, issuerOfOrders(t))
	line := regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`)
	for _, file := range []string{"sidecar.yaml", "policies/routes/data.yaml", "policy_test/first_suite.yaml"} {
		named := line.FindStringSubmatch(testkit.ReadFile(t, file))
		if named == nil {
			t.Errorf("%s names no schema", file)
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), named[1])); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestWhatInitWritesIsToldAsAnAccessMatrixInWords(t *testing.T) {
	initialized(t, issuerOfOrders(t))
	for _, args := range [][]string{{"requires", "POST", "/hello"}, {"routes"}} {
		if got := succeeds(t, args...); !strings.Contains(got, "write") || strings.Contains(got, "condition") {
			t.Errorf("%v:\n%s", args, got)
		}
	}
}

// looking is a writer that looks for a file when a text is written.
type looking struct {
	text, file string
	missing    bool
}

func (l *looking) Write(b []byte) (int, error) {
	if strings.Contains(string(b), l.text) {
		_, err := os.Stat(l.file)
		l.missing = err != nil
		l.text = "\x00"
	}
	return len(b), nil
}

func TestInitSaysWhatItWroteWhenAllIsThereSoThatAReaderWhoLeavesGetsNoHalf(t *testing.T) {
	dir := t.TempDir()
	out := &looking{text: "wrote  ", file: filepath.Join(dir, "sidecar.yaml")}
	var errs strings.Builder
	code := run(t.Context(), []string{"init", "--issuer", issuerOfOrders(t).Issuer(), "--client-id", "orders-api",
		"--audience", "orders-api", "--dir", dir}, streams{in: strings.NewReader("a-secret-of-orders\n"), out: out,
		err: &errs})
	if code != exitOK || out.text != "\x00" || out.missing {
		t.Errorf("exit %d, looked %v, missing %v: %s", code, out.text == "\x00", out.missing, errs.String())
	}
}
