package config

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func printed(t *testing.T, c *Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := Print(c, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintedConfigurationReadsBackEqual(t *testing.T) {
	inDirectory(t)
	c := parse(t, oneIssuer+`    cache: {ttl: 1h, negative_ttl: 0}
    audience: ["null", "true", "1", "0x1f", "~", "- a", "a: b", "#", "'", "\"", "ü"]
decision: {realm: " spaced "}
decision_log: {stdout: true, labels: {region: eu, "null": "2026-01-01"}}
telemetry: {traces: {ratio: 0.00001}}
policies: {bundles: [policies], debounce: 1ms500us}
input: {headers: []}
`)
	again := parse(t, printed(t, c))
	if !reflect.DeepEqual(c, again) {
		t.Errorf("printed:\n%s\nread back as %+v, was %+v", printed(t, c), again, c)
	}
}

func TestPrintShowsEveryKeyInOrderWithUnits(t *testing.T) {
	inDirectory(t)
	got := printed(t, parse(t, oneIssuer))
	at := 0
	for _, line := range []string{
		"\nlisten:\n  api:\n    address: \"127.0.0.1:8181\"\n    insecure: false\n    tls:\n      cert_file: \"\"\n",
		"\n      idle_timeout: 2m\n",
		"\nissuers:\n  - name: default\n    issuer: \"https://login.acme.example\"\n",
		"\n      ttl: 30s\n",
		"\npolicies:\n  paths:\n    - policies\n  bundles: []\n  ignore: []\n  debounce: 100ms\n",
		"\n    ratio: 1\n",
		"\nshutdown_timeout: 10s\n",
	} {
		i := strings.Index("\n"+got[at:], line)
		if i < 0 {
			t.Fatalf("not found, or not in its place: %q in\n%s", line, got)
		}
		at += i
	}
}

func TestPrintShowsTheSourceOfASecretAndNotTheSecret(t *testing.T) {
	inDirectory(t)
	got := printed(t, parse(t, oneIssuer))
	if !strings.Contains(got, "\n      secret:\n        file: client-secret\n") {
		t.Errorf("the source of the secret is not in\n%s", got)
	}
	if strings.Contains(got, " env:") {
		t.Error("the half of the source that is not used is printed")
	}
	if strings.Contains(got, "hunter2") {
		t.Error("the secret is printed")
	}
}

func TestPrintReportsAWriterThatFails(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	_ = w.Close()
	if err := Print(Default(), w); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error is %v", err)
	}
}

// FuzzDecode feeds arbitrary files and overrides to the reader. Whatever is accepted must print to a file that means
// the same, and every fault must be one line.
func FuzzDecode(f *testing.F) {
	example, err := os.ReadFile("../../sidecar.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example), "ISSUERS_0_AUDIENCE", "a,b")
	f.Add(uncommented(string(example)), "DECISION_LOG_LABELS_REGION", "eu: #1")
	f.Add(oneIssuer, "DECISION_REALM", "\u2028\ufeff~ - ' \"")
	f.Add("listen: &a {api: {limits: &l {timeout: 1s}}, admin: {limits: {<<: *l}}}", "SHUTDOWN_TIMEOUT", "1h2m3.004s")
	f.Add("a: &a [*a]", "ISSUERS_0_CLIENT_SECRET", "x")
	f.Add("telemetry: {traces: {ratio: 1e-320}}", "TELEMETRY_TRACES_RATIO", "0x1p-2")
	f.Add("---\n---\n", "", "")
	f.Add("", "\n", "")
	f.Fuzz(func(t *testing.T, src, variable, value string) {
		r := newReader("f")
		c, ok := r.decode([]byte(src), []string{prefix + variable + "=" + value})
		for _, fault := range r.faults {
			if strings.ContainsAny(fault.String(), "\n\r") {
				t.Errorf("fault is several lines: %q", fault)
			}
		}
		if !ok || len(r.faults) > 0 {
			return
		}
		var b bytes.Buffer
		if err := Print(c, &b); err != nil {
			t.Fatal(err)
		}
		again := newReader("printed")
		c2, _ := again.decode(b.Bytes(), nil)
		if len(again.faults) > 0 {
			t.Fatalf("printed configuration is refused: %v\n%s", again.faults, b.String())
		}
		if !reflect.DeepEqual(c, c2) {
			t.Fatalf("printed configuration differs:\n%s\n%+v\n%+v", b.String(), c, c2)
		}
	})
}
