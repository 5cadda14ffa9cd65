package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
)

func TestEveryKeyHasAVariable(t *testing.T) {
	inDirectory(t)
	c := parse(t, oneIssuer,
		"SIDECAR_LISTEN_API_ADDRESS=[::1]:1",
		"SIDECAR_LISTEN_ADMIN_LIMITS_HEADER_BYTES=5000",
		"SIDECAR_ISSUERS_0_CLIENT_ID=other",
		"SIDECAR_ISSUERS_0_CACHE_TTL=7s",
		"SIDECAR_ISSUERS_0_AUDIENCE=a, b",
		"SIDECAR_POLICIES_PATHS=.,policies",
		"SIDECAR_DECISION_LOG_STDOUT=true",
		"SIDECAR_DECISION_LOG_LABELS_REGION=eu=1",
		"SIDECAR_DECISION_LOG_LABELS_COST_CENTER=5",
		"SIDECAR_TELEMETRY_TRACES_RATIO=0.25",
		"SIDECAR_SHUTDOWN_TIMEOUT=3s",
	)
	for what, ok := range map[string]bool{
		"address":    c.Listen.API.Address == "[::1]:1",
		"header":     c.Listen.Admin.Limits.HeaderBytes == 5000,
		"client":     c.Issuers[0].Endpoint.Client.ID == "other",
		"ttl":        c.Issuers[0].Cache.TTL == 7*time.Second,
		"audience":   reflect.DeepEqual(c.Issuers[0].Dialect.Audience, []string{"a", "b"}),
		"paths":      reflect.DeepEqual(c.Policies.Paths, []string{".", "policies"}),
		"stdout":     c.DecisionLog.Stdout,
		"labels":     reflect.DeepEqual(c.DecisionLog.Labels, map[string]string{"region": "eu=1", "cost_center": "5"}),
		"ratio":      c.Telemetry.Traces.Ratio == 0.25,
		"shutdown":   c.ShutdownTimeout == 3*time.Second,
		"secret":     c.Issuers[0].Endpoint.Client.Secret.File == "client-secret",
		"issuer":     c.Issuers[0].Endpoint.Issuer == "https://login.acme.example",
		"no default": len(c.Issuers) == 1,
	} {
		if !ok {
			t.Errorf("%s is not as set: %+v", what, c)
		}
	}
}

func TestVariableOfEveryKeyLeadsBackToIt(t *testing.T) {
	eachKey(reflect.TypeFor[Config](), "", func(path string, f conf.Field, ft reflect.Type) {
		if ft.Kind() == reflect.Struct {
			return
		}
		name := variable(strings.ReplaceAll(path, "[]", "[0]"))
		if strings.HasSuffix(path, "labels") {
			name += "_X"
		}
		steps, ok := resolve(reflect.TypeFor[Config](), strings.TrimPrefix(name, prefix))
		if !ok {
			t.Fatalf("%s: %s names nothing", path, name)
		}
		last := steps[len(steps)-1]
		if last.field.Name != f.Name && last.key != "x" {
			t.Errorf("%s: %s leads to %s", path, name, last.field.Name)
		}
	})
}

func TestOverrideCreatesTheIssuer(t *testing.T) {
	inDirectory(t)
	c := parse(t, "",
		"SIDECAR_ISSUERS_0_ISSUER=https://login.acme.example",
		"SIDECAR_ISSUERS_0_CLIENT_ID=api",
		"SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE=client-secret")
	if len(c.Issuers) != 1 || c.Issuers[0].Endpoint.Client.ID != "api" || c.Issuers[0].Cache.TTL != 30*time.Second {
		t.Errorf("issuers are %+v", c.Issuers)
	}
}

func TestItemsAreAddedInTheOrderOfTheirNumbers(t *testing.T) {
	inDirectory(t)
	var environ, want []string
	for _, n := range []string{"10", "2", "0", "1", "3", "4", "5", "6", "7", "8", "9"} {
		environ = append(environ, "SIDECAR_ISSUERS_0_AUDIENCE_"+n+"=a"+n)
	}
	for _, n := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
		want = append(want, "a"+n)
	}
	if got := parse(t, oneIssuer, environ...).Issuers[0].Dialect.Audience; !reflect.DeepEqual(got, want) {
		t.Errorf("audience is %q", got)
	}
}

func TestFaultInTheEnvironmentNamesTheVariable(t *testing.T) {
	inDirectory(t)
	for entry, fault := range map[string]string{
		"SIDECAR_ISSUERS_0_CACHE_TTL=5":             `"5" is not a duration`,
		"SIDECAR_DECISION_LOG_QUEUE=":               "is set, and empty",
		"SIDECAR_DECISION_LOG_STDOUT=yes":           `"yes" is not true or false`,
		"SIDECAR_DECISION_TOKEN=":                   `"" is not one of required, optional`,
		"SIDECAR_TELEMETRY_TRACES_RATIO=NaN":        `"NaN" is not a number`,
		"SIDECAR_TELEMETRY_TRACES_RATIO=-1":         "-1 is below 0, the least allowed",
		"SIDECAR_DECISION_REALM=\xff":               "is not valid UTF-8",
		"SIDECAR_DECISION_REALM=a\r\nb":             "holds a control character, such as a line break",
		"SIDECAR_POLICIES_PATHS=policies,,policies": "holds an empty item",
		"SIDECAR_POLICIES_PATHS_1=":                 "holds an empty item",
		"SIDECAR_POLICIES_PATHS_2=policies":         "leaves a gap: the list ends before number 1",
		"SIDECAR_LISTEN_API_ADDRESS=0.0.0.0:80":     `"0.0.0.0:80" is neither loopback nor a Unix socket: it needs tls or insecure: true`,
		"SIDECAR_POLICIES_PATHS=none":               `policies.paths[0]: directory "none" does not exist`,
		"SIDECAR_ISSUERS_1_MIN_LENGTH=5":            "names no key of the configuration",
		"SIDECAR_LISTEN_API=x":                      "names no key of the configuration",
		"SIDECAR_ISSUERS=x":                         "names no key of the configuration",
		"SIDECAR_ISSUERS_00_NAME=x":                 "names no key of the configuration",
		"SIDECAR_ISSUERS_-1_NAME=x":                 "names no key of the configuration",
		"SIDECAR_ISSUERS_0=x":                       "names no key of the configuration",
		"SIDECAR_POLICIES_PATHS_0_=x":               "names no key of the configuration",
		"SIDECAR_DECISION_REALM_=x":                 "names no key of the configuration",
		"SIDECAR_DECISION_REALM_X=x":                "names no key of the configuration",
		"SIDECAR_DECISION_LOG_LABELS=x":             "names no key of the configuration",
		"SIDECAR_decision_realm=x":                  "names no key of the configuration",
		"SIDECAR_=x":                                "names no key of the configuration",
	} {
		t.Run(strings.ToValidUTF8(entry, "?"), func(t *testing.T) {
			name, _, _ := strings.Cut(entry, "=")
			got := faults(t, oneIssuer, entry)
			if len(got) == 0 || got[0] != "environment "+name+": "+fault {
				t.Errorf("faults are %q, want %q", got, fault)
			}
		})
	}
}

func TestVariableSetTwiceIsRefused(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer, "SIDECAR_DECISION_REALM=a", "SIDECAR_DECISION_REALM=b"),
		"environment SIDECAR_DECISION_REALM: is set twice")
}

func TestUnknownVariableGetsASuggestion(t *testing.T) {
	for name, hint := range map[string]string{
		"SIDECAR_LISTEN_API_ADRESS":  "did you mean SIDECAR_LISTEN_API_ADDRESS?",
		"SIDECAR_ISSUERS_0_CLIENTID": "did you mean SIDECAR_ISSUERS_0_CLIENT_ID?",
		"SIDECAR_ISSUERS_0_CLIENT":   "did you mean SIDECAR_ISSUERS_0_CLIENT_ID?",
		"SIDECAR_LISTEN_API":         "it names a section; set one of its keys, such as SIDECAR_LISTEN_API_ADDRESS",
		"SIDECAR_SERVICE_HOST": "Kubernetes sets it for a Service named sidecar: set enableServiceLinks to " +
			"false on the pod, or rename the Service",
		"SIDECAR_PORT": "Kubernetes sets it for a Service named sidecar: set enableServiceLinks to " +
			"false on the pod, or rename the Service",
		"SIDECAR_PORT_8181_TCP_ADDR": "Kubernetes sets it for a Service named sidecar: set enableServiceLinks to " +
			"false on the pod, or rename the Service",
		"SIDECAR_ELEPHANTS_IN_THE_ROOM": `a variable is the path of a key in upper case, joined by underscores; "sidecar config schema" lists every key`,
	} {
		inDirectory(t)
		_, err := Parse("sidecar.yaml", []byte(oneIssuer), []string{name + "=hunter2"})
		if want := "environment " + name + ": names no key of the configuration\n  hint: " + hint; err == nil ||
			err.Error() != want {
			t.Errorf("error is\n%v\nwant\n%s", err, want)
		}
	}
}

func TestVariableWithALineBreakInItsNameIsShownOnOneLine(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer, "SIDECAR_A\nB=x"),
		`environment "SIDECAR_A\nB": names no key of the configuration`)
}

func TestAVeryLongUnknownNameIsReadQuickly(t *testing.T) {
	inDirectory(t)
	if got := faults(t, oneIssuer, "SIDECAR_"+strings.Repeat("X", 10<<20)+"=x"); len(got) != 1 || len(got[0]) > 200 {
		t.Errorf("%d faults", len(got))
	}
}

func TestAFaultOfAnOverriddenListNamesTheVariable(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer+"policies:\n  paths:\n    - policies\n", "SIDECAR_POLICIES_PATHS=none"),
		`environment SIDECAR_POLICIES_PATHS: policies.paths[0]: directory "none" does not exist`)
}
