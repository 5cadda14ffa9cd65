package config

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const addressOfAPI = "sidecar.yaml:4: listen.api.address: "

func TestListenerAddress(t *testing.T) {
	inDirectory(t)
	mkdir(t, "run")
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if len(dir) > 90 {
		t.Fatalf("temporary directory %q is too long for a socket", dir)
	}
	needsTLS := " is neither loopback nor a Unix socket: it needs tls or insecure: true"
	for address, fault := range map[string]string{
		"127.0.0.1:1":                        "",
		"127.8.8.8:0":                        "",
		"localhost:1":                        "",
		"[::1]:1":                            "",
		"[::ffff:127.0.0.1]:1":               "",
		"unix://" + dir + "/run/s":           "",
		"unix://" + dir + "/run/s?mode=0660": "",
		"":                                   `is empty`,
		"127.0.0.1":                          `"127.0.0.1" is not host:port`,
		"::1:80:":                            `"::1:80:" is not host:port`,
		"127.0.0.1:http":                     `port "http" is not a number from 0 to 65535`,
		"127.0.0.1:65536":                    `port "65536" is not a number from 0 to 65535`,
		"127.0.0.1:":                         `port "" is not a number from 0 to 65535`,
		":8181":                              `":8181"` + needsTLS,
		"0.0.0.0:8181":                       `"0.0.0.0:8181"` + needsTLS,
		"[::]:8181":                          `"[::]:8181"` + needsTLS,
		"10.0.0.1:8181":                      `"10.0.0.1:8181"` + needsTLS,
		"api.acme.example:8181":              `"api.acme.example:8181"` + needsTLS,
		"localhost.acme.example:8181":        `"localhost.acme.example:8181"` + needsTLS,
		"unix:relative":                      `"unix:relative" is not unix:///path`,
		"unix://run/s":                       `"unix://run/s" is not unix:///path`,
		"unix:///run/":                       `"unix:///run/" is not unix:///path`,
		"unix:///%zz":                        `"unix:///%zz" is not unix:///path`,
		"unix://" + dir + "/s?mode=999":      `mode "999" is not an octal file mode`,
		"unix://" + dir + "/s?mode=1777":     `mode "1777" is not an octal file mode`,
		"unix://" + dir + "/s?mode=":         `mode "" is not an octal file mode`,
		"unix://" + dir + "/s?mode=600&mode=666": `"unix://` + dir +
			`/s?mode=600&mode=666" may have no other option than one mode`,
		"unix://" + dir + "/s?owner=me": `"unix://` + dir +
			`/s?owner=me" may have no other option than one mode`,
		"unix://" + dir + "/none/s":           `directory "` + dir + `/none" does not exist`,
		"unix:///" + strings.Repeat("x", 107): `the path of the socket is over 107 bytes`,
	} {
		t.Run(address, func(t *testing.T) {
			got := faults(t, oneIssuer+"listen: {api: {address: '"+address+"'}}\n")
			if fault == "" {
				wantFaults(t, got)
				return
			}
			wantFaults(t, got, addressOfAPI+fault)
		})
	}
}

func TestAListenerMayAcceptOtherMachinesWithInsecure(t *testing.T) {
	inDirectory(t)
	testkit.WriteFile(t, "crt", "x")
	testkit.WriteFile(t, "key", "x")
	parse(t, oneIssuer+"listen: {api: {address: '0.0.0.0:8181', insecure: true}}\n")
	parse(t, oneIssuer+"listen: {api: {address: '0.0.0.0:8181', tls: {cert_file: crt, key_file: key}}}\n")
}

func TestTwoListenersOnOneAddressAreAFault(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer+"listen:\n  api: {address: '127.0.0.1:1'}\n  admin: {address: '127.0.0.1:1'}\n"),
		"sidecar.yaml:6: listen.admin.address: is the address of api too")
	parse(t, oneIssuer+"listen:\n  api: {address: '127.0.0.1:0'}\n  admin: {address: '127.0.0.1:0'}\n")
}

func TestACertificateWithoutItsKeyIsAFault(t *testing.T) {
	inDirectory(t)
	testkit.WriteFile(t, "f", "x")
	for tls, want := range map[string][]string{
		"cert_file: f": {"sidecar.yaml:4: listen.api.tls.key_file: is empty, and cert_file is set"},
		"key_file: f":  {"sidecar.yaml:4: listen.api.tls.cert_file: is empty, and key_file is set"},
		"client_ca_file: f": {"sidecar.yaml:4: listen.api.tls.client_ca_file: asks for client certificates, and " +
			"there is no cert_file"},
	} {
		t.Run(tls, func(t *testing.T) {
			wantFaults(t, faults(t, oneIssuer+"listen: {api: {tls: {"+tls+"}}}\n"), want...)
		})
	}
}

func TestAMissingFileIsAFaultOfItsKey(t *testing.T) {
	inDirectory(t)
	mkdir(t, "directory")
	wantFaults(t, faults(t, `issuers:
  - issuer: https://login.acme.example
    ca_file: ca.pem
    client: {id: api, secret: {file: none}}
listen:
  api:
    bearer_keys_file: directory
    tls:
      cert_file: tls.crt
      key_file: policies/x/tls.key
      client_ca_file: client-secret/ca.crt
`),
		`sidecar.yaml:3: issuers[0].ca_file: read file "ca.pem": no such file`,
		`sidecar.yaml:4: issuers[0].client.secret.file: read secret: no such file`,
		`sidecar.yaml:7: listen.api.bearer_keys_file: read file "directory": it is a directory`,
		`sidecar.yaml:9: listen.api.tls.cert_file: read file "tls.crt": no such file`,
		`sidecar.yaml:10: listen.api.tls.key_file: read file "policies/x/tls.key": no such file`,
		`sidecar.yaml:11: listen.api.tls.client_ca_file: read file "client-secret/ca.crt": not a directory`,
	)
}

// Opening a pipe would wait for its writer, and then take the secret from the program that is to read it.
func TestASecretInAPipeIsNotOpened(t *testing.T) {
	inDirectory(t)
	if err := os.Remove("client-secret"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo("client-secret", 0o600); err != nil {
		t.Fatal(err)
	}
	parse(t, oneIssuer)
}

func TestAMissingPolicyDirectoryIsAFault(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer+"policies:\n  paths: [policies, none]\n  bundles:\n    - client-secret\n    - "+
		"client-secret/x\n"),
		`sidecar.yaml:5: policies.paths[1]: directory "none" does not exist`,
		`sidecar.yaml:7: policies.bundles[0]: "client-secret" is not a directory`,
		`sidecar.yaml:8: policies.bundles[1]: directory "client-secret/x" cannot be read`,
	)
}

func TestAConfigurationWithoutPoliciesIsAFault(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer+"policies: {paths: []}\n"),
		"sidecar.yaml:4: policies.paths: neither paths nor bundles names a directory")
	parse(t, oneIssuer+"policies: {paths: [], bundles: [policies]}\n")
}

func TestAMissingDecisionLogDirectoryIsAFaultAndIsNotCreated(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer+"decision_log: {file: none/d.jsonl}\n"),
		`sidecar.yaml:4: decision_log.file: directory "none" does not exist`)
	wantFaults(t, faults(t, oneIssuer+"decision_log: {file: policies}\n"),
		`sidecar.yaml:4: decision_log.file: "policies" is a directory`)
	parse(t, oneIssuer+"decision_log: {file: d.jsonl}\n")
	if _, err := os.Stat("d.jsonl"); err == nil {
		t.Error("the file was created")
	}
}

func TestTracesNeedAnEndpointThatIsAURL(t *testing.T) {
	inDirectory(t)
	for endpoint, cause := range map[string]string{
		"127.0.0.1:4318":              "is not an absolute http or https URL",
		"grpc://127.0.0.1:4318":       "is not an absolute http or https URL",
		"http://:4318":                "is not an absolute http or https URL",
		"http://a:b@127.0.0.1:4318":   "the URL holds a user or a password",
		"http://127.0.0.1:4318?key=1": "the URL has a query or a fragment",
	} {
		wantFaults(t, faults(t, oneIssuer+"telemetry: {traces: {endpoint: '"+endpoint+"'}}\n"),
			"sidecar.yaml:4: telemetry.traces.endpoint: "+cause)
	}
	parse(t, oneIssuer+"telemetry: {traces: {endpoint: 'http://127.0.0.1:4318'}}\n")
}

func TestShareOfTracesIsFromZeroToOne(t *testing.T) {
	inDirectory(t)
	for ratio, cause := range map[string]string{"-0.1": "-0.1 is below 0, the least allowed",
		"1.1": "1.1 is above 1, the most allowed"} {
		wantFaults(t, faults(t, oneIssuer+"telemetry: {traces: {ratio: "+ratio+"}}\n"),
			"sidecar.yaml:4: telemetry.traces.ratio: "+cause)
	}
	for _, ratio := range []string{"0", "0.5", "1"} {
		parse(t, oneIssuer+"telemetry: {traces: {ratio: "+ratio+"}}\n")
	}
}

func TestAURLWithAPasswordIsAFaultInEveryKey(t *testing.T) {
	inDirectory(t)
	got := faults(t, oneIssuer+"decision_log: {labels: {}}\nengine: {entrypoints: "+
		"['https://me:hunter2@acme.example']}\n")
	if len(got) == 0 || !strings.Contains(got[len(got)-1],
		"engine.entrypoints[0]: the URL holds a user or a password") {
		t.Errorf("faults are %q", got)
	}
}

func TestAKeyWithAWrongValueHasOneFault(t *testing.T) {
	inDirectory(t)
	// The value is still empty, which alone would be a fault of the issuer's own check.
	wantFaults(t, faults(t, "issuers:\n  - issuer: https://login.acme.example\n    client: {id: 5, secret: {file: "+
		"client-secret}}\n"),
		"sidecar.yaml:3: issuers[0].client.id: is a number, not text")
}

func TestSeveralFaultsOfOneKeyAreAllReported(t *testing.T) {
	inDirectory(t)
	got := faults(t, oneIssuer+"input:\n  headers: [authorization, cookie]\n")
	if len(got) != 2 || !strings.Contains(got[0], "authorization") || !strings.Contains(got[1], "cookie") {
		t.Errorf("faults are %q", got)
	}
}
