package app

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestDefaultIsAnEmptyFile: what is built from config.Default has every default that a file has.
func TestDefaultIsAnEmptyFile(t *testing.T) {
	parsed, def := defaults(t, "http://127.0.0.1:1"), config.Default()
	if def.ShutdownTimeout == 0 || def.Engine.Deadline == 0 || def.Listen.API.Limits.BodyBytes == 0 ||
		def.Decision.Entrypoint == "" || def.DecisionLog.Queue == 0 {
		t.Errorf("defaults are missing: %+v", def)
	}
	parsed.Issuers, parsed.Policies.Paths, parsed.DecisionLog.File = def.Issuers, def.Policies.Paths,
		def.DecisionLog.File
	parsed.Listen.API.Address, parsed.Listen.Admin.Address = def.Listen.API.Address, def.Listen.Admin.Address
	if !reflect.DeepEqual(parsed, def) {
		t.Errorf("a file gives\n%+v, Default\n%+v", parsed, def)
	}
}

// TestFailedStartLeavesNothingOpen: whatever keeps New from building, no goroutine and no socket is left.
func TestFailedStartLeavesNothingOpen(t *testing.T) {
	taken := testkit.Listen(t)
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"an issuer without secret": {func(c *config.Config) { c.Issuers[0].Endpoint.Client.Secret = secret.Source{} },
			"client.secret"},
		"traces to nowhere": {func(c *config.Config) { c.Telemetry.Traces.Endpoint = "nowhere" },
			"set up traces"},
		"no policies": {func(c *config.Config) { c.Policies.Paths = []string{"none"} },
			"directory_error"},
		"an entrypoint that is not there": {func(c *config.Config) { c.Decision.Entrypoint = "authz/none" },
			"data.authz.none"},
		"no debounce": {func(c *config.Config) { c.Policies.Debounce = 0 }, "debounce"},
		"a decision log in no directory": {func(c *config.Config) { c.DecisionLog.File = "/none/at/all" },
			"open decision log"},
		"keys that are not there": {func(c *config.Config) { c.Listen.API.BearerKeysFile = "none" },
			"listen.api.bearer_keys_file"},
		"a certificate that is not": {func(c *config.Config) {
			c.Listen.API.TLS.CertFile,
				c.Listen.API.TLS.KeyFile = "none", "none"
		}, "listen.api.tls"},
		"a second port that is taken": {func(c *config.Config) { c.Listen.Admin.Address = taken.Addr().String() },
			"listen.admin.address"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{cfg: configuration(t, "http://127.0.0.1:1"), stdout: &testkit.LogBuffer{},
				logger: &testkit.LogBuffer{}}
			port := testkit.HoldPort(t)
			w.cfg.Listen.API.Address = port.Addr()
			w.cfg.Telemetry.Traces.Endpoint = "http://127.0.0.1:1"
			c.change(w.cfg)
			_, err := New(t.Context(), w.cfg, w.deps())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), clientSecret) {
				t.Errorf("the error holds the secret: %v", err)
			}
			again, err := port.Listen()
			if err != nil {
				t.Fatalf("the first port is still taken: %v", err)
			}
			again.Close()
			settled(t)
		})
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	taken := testkit.Listen(t)
	w := &world{cfg: configuration(t, "http://127.0.0.1:1"), stdout: &testkit.LogBuffer{},
		logger: &testkit.LogBuffer{}}
	w.cfg.Listen.Admin.Address = taken.Addr().String()
	_, err := New(t.Context(), w.cfg, w.deps())
	var e *listen.AddressError
	if !errors.As(err, &e) || e.Key != "listen.admin.address" ||
		!strings.Contains(err.Error(), taken.Addr().String()) || errors.Unwrap(e) == nil {
		t.Errorf("got %v", err)
	}
}

func TestBrokenPolicyIsNotStarted(t *testing.T) {
	w := &world{cfg: configuration(t, "http://127.0.0.1:1"), stdout: &testkit.LogBuffer{},
		logger: &testkit.LogBuffer{}}
	testkit.WriteFile(t, w.policyFile("broken.rego"), "package broken\n\nallow if {\n")
	_, err := New(t.Context(), w.cfg, w.deps())
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok || problems[0].File != w.policyFile("broken.rego") || problems[0].Row == 0 {
		t.Errorf("got %v", err)
	}
}

func TestCheckTellsEverythingAtOnce(t *testing.T) {
	cfg := configuration(t, "http://127.0.0.1:1")
	if _, _, err := Check(t.Context(), cfg); err != nil {
		t.Fatalf("a good configuration: %v", err)
	}
	settled(t)
	cfg.Issuers[0].Endpoint.Client.ID = ""
	cfg.Listen.Admin.BearerKeysFile = "none"
	cfg.Decision.Entrypoint = "authz/none"
	_, _, err := Check(t.Context(), cfg)
	for _, want := range []string{"client.id", "read caller keys", "data.authz.none"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
	if problems, ok := errors.AsType[bundle.Problems](err); !ok || len(problems) != 1 {
		t.Errorf("the problems of the policies are %v", problems)
	}
}

func TestCheckChangesNothing(t *testing.T) {
	cfg := configuration(t, "http://127.0.0.1:1")
	if _, _, err := Check(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cfg.DecisionLog.File); !os.IsNotExist(err) {
		t.Errorf("the decision log is there: %v", err)
	}
}
