package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// oneIssuer is the least that a configuration needs.
const oneIssuer = `issuers:
  - issuer: https://login.acme.example
    client: {id: api, secret: {file: client-secret}}
`

// inDirectory makes the test run where everything is that a small configuration names.
func inDirectory(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	mkdir(t, "policies")
	testkit.WriteFile(t, "client-secret", "hunter2\n")
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

// faults returns the lines of what is wrong with src, without hints and columns, and checks that each has a hint.
func faults(t *testing.T, src string, environ ...string) []string {
	t.Helper()
	c, err := Parse("sidecar.yaml", []byte(src), environ)
	if err == nil {
		return nil
	}
	if c != nil {
		t.Error("a configuration came with its faults")
	}
	fs, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("error is %T, not Faults", err)
	}
	columns := regexp.MustCompile(`^(sidecar\.yaml:\d+):\d+`)
	var lines []string
	for _, f := range fs {
		lines = append(lines, columns.ReplaceAllString(f.String(), "$1"))
		if f.Hint == "" {
			t.Errorf("%s: no hint", f)
		}
	}
	return lines
}

func wantFaults(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func parse(t *testing.T, src string, environ ...string) *Config {
	t.Helper()
	c, err := Parse("sidecar.yaml", []byte(src), environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaultsAreThoseOfTheTags(t *testing.T) {
	c := Default()
	if c.Listen.API.Address != "127.0.0.1:8181" || c.Listen.Admin.Address != "127.0.0.1:8282" {
		t.Errorf("listeners at %s and %s", c.Listen.API.Address, c.Listen.Admin.Address)
	}
	if c.Listen.API.Limits.IdleTimeout != 2*time.Minute || c.ShutdownTimeout != 10*time.Second {
		t.Errorf("times: %s, %s", c.Listen.API.Limits.IdleTimeout, c.ShutdownTimeout)
	}
	if !reflect.DeepEqual(c.Policies.Paths, []string{"policies"}) || len(c.Input.Headers) < 3 {
		t.Errorf("lists: %q, %q", c.Policies.Paths, c.Input.Headers)
	}
	if c.Telemetry.Traces.Ratio != 1 || c.Decision.Token != "required" {
		t.Errorf("ratio %v, token %q", c.Telemetry.Traces.Ratio, c.Decision.Token)
	}
}

func TestItemsOfAListHaveTheirDefaults(t *testing.T) {
	inDirectory(t)
	got := parse(t, oneIssuer).Issuers
	if len(got) != 1 {
		t.Fatalf("%d issuers", len(got))
	}
	if i := got[0]; i.Cache.TTL != 30*time.Second || i.Dialect.Dialect != "rfc7662" ||
		i.Endpoint.Client.Auth != "client_secret_basic" || i.Endpoint.Client.ID != "api" {
		t.Errorf("issuer is %+v", i)
	}
}

func TestLoadReadsTheFileAndTheEnvironment(t *testing.T) {
	inDirectory(t)
	testkit.WriteFile(t, "sidecar.yaml", oneIssuer+"decision: {realm: file}\n")
	c, err := Load("sidecar.yaml", []string{"SIDECAR_DECISION_REALM=environment", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Decision.Realm != "environment" {
		t.Errorf("realm is %q", c.Decision.Realm)
	}
}

func TestLoadOfAMissingFileIsAFault(t *testing.T) {
	name := filepath.Join(t.TempDir(), "none.yaml")
	c, err := Load(name, nil)
	if c != nil || err == nil {
		t.Fatal("a missing file was accepted")
	}
	want := name + ": read configuration: no such file or directory\n  hint: name the configuration file with " +
		"--config or SIDECAR_CONFIG, or write one: sidecar init --issuer URL --client-id ID; sidecar dev needs none"
	if err.Error() != want {
		t.Errorf("error is\n%s\nwant\n%s", err, want)
	}
}

func TestLoadOfADirectoryIsAFault(t *testing.T) {
	if _, err := Load(t.TempDir(), nil); err == nil ||
		!strings.Contains(err.Error(), "read configuration: is a directory") {
		t.Errorf("error is %v", err)
	}
}

func TestLoadRefusesAnEndlessFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "big.yaml")
	testkit.WriteFile(t, name, strings.Repeat("#", MaxBytes+1))
	if _, err := Load(name, nil); err == nil || !strings.Contains(err.Error(), "over 1048576 bytes") {
		t.Errorf("error is %v", err)
	}
}

func TestLoadReportsFaultsUnderTheNameOfTheFile(t *testing.T) {
	inDirectory(t)
	testkit.WriteFile(t, "broken.yaml", oneIssuer+"listne: {}\n")
	_, err := Load("broken.yaml", nil)
	if err == nil || err.Error() != "broken.yaml:4:1: listne: unknown key\n  hint: did you mean \"listen\"?" {
		t.Errorf("error is %v", err)
	}
}

func TestEveryKeyIsExplainedAndCanBeSet(t *testing.T) {
	eachKey(reflect.TypeFor[Config](), "", func(path string, f conf.Field, ft reflect.Type) {
		if f.Doc == "" || !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("%s: doc tag %q is no sentence", path, f.Doc)
		}
		if ft.Kind() == reflect.Struct {
			return
		}
		v := reflect.New(ft).Elem()
		if p := conf.SetText(v, f, f.Default); f.Default != "" && p != nil {
			t.Errorf("%s: default: %s", path, p.Cause)
		}
		for _, bound := range []string{f.Min, f.Max} {
			if p := conf.SetText(v, conf.Field{Min: f.Min, Max: f.Max}, bound); bound != "" && p != nil {
				t.Errorf("%s: bound %q: %s", path, bound, p.Cause)
			}
		}
	})
}

// eachKey calls do for every key below t.
func eachKey(t reflect.Type, path string, do func(path string, f conf.Field, ft reflect.Type)) {
	for _, f := range conf.Fields(t) {
		at, ft := conf.Join(path, f.Name), t.FieldByIndex(f.Index).Type
		if ft.Kind() == reflect.Slice && !conf.IsStrings(ft) {
			at, ft = at+"[]", ft.Elem()
		}
		if ft.Kind() == reflect.Map {
			ft = ft.Elem()
		}
		do(at, f, ft)
		if ft.Kind() == reflect.Struct {
			eachKey(ft, at, do)
		}
	}
}

func TestAConfigurationHoldsNoSecret(t *testing.T) {
	eachKey(reflect.TypeFor[Config](), "", func(path string, _ conf.Field, ft reflect.Type) {
		if ft == reflect.TypeFor[secret.Text]() {
			t.Errorf("%s: a secret.Text can be set from the file", path)
		}
	})
	if ft, ok := reflect.TypeFor[oauth.Client]().FieldByName("Secret"); !ok || !conf.IsSource(ft.Type) {
		t.Error("issuers[].client.secret is no secret.Source")
	}
}
