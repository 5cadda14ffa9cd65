package native_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
)

func faultsOf(check func(fault func(key, cause, hint string))) []string {
	var out []string
	check(func(key, cause, hint string) {
		if cause == "" || hint == "" {
			out = append(out, "a fault without cause or hint at "+key)
		}
		out = append(out, key+": "+cause)
	})
	return out
}

func TestAddressesThatAreSafe(t *testing.T) {
	dir := t.TempDir()
	for _, l := range []native.Listener{
		{Address: "127.0.0.1:8181"}, {Address: "127.1.2.3:0"}, {Address: "[::1]:8181"}, {Address: "localhost:8181"}, {Address: "[::ffff:127.0.0.1]:1"},
		{Address: "0.0.0.0:8181", Insecure: true}, {Address: ":8181", TLS: native.TLS{CertFile: "a", KeyFile: "b"}},
		{Address: "unix://" + dir + "/api.sock"}, {Address: "unix://" + dir + "/api.sock?mode=0600"},
	} {
		if faults := faultsOf(l.Check); faults != nil {
			t.Errorf("%s: %q", l.Address, faults)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	for address, want := range map[string]string{
		"":                                   "is empty",
		"127.0.0.1":                          "is not host:port",
		"127.0.0.1:http":                     "is not a number",
		"127.0.0.1:65536":                    "is not a number",
		"0.0.0.0:8181":                       "neither loopback nor a Unix socket",
		":8181":                              "neither loopback nor a Unix socket",
		"10.0.0.1:8181":                      "neither loopback nor a Unix socket",
		"localhost.example:8181":             "neither loopback nor a Unix socket",
		"unix:api.sock":                      "is not unix:///path",
		"unix://host/api.sock":               "is not unix:///path",
		"unix://" + dir + "/":                "is not unix:///path",
		"unix://" + dir + "/a?mode=9":        "is not an octal file mode",
		"unix://" + dir + "/a?mode=4777":     "is not an octal file mode",
		"unix://" + dir + "/a?mode=1&mode=2": "no other option than one mode",
		"unix://" + dir + "/a?owner=root":    "no other option than one mode",
		"unix://" + dir + "/none/a":          "does not exist",
		"unix://" + dir + "/" + strings.Repeat("a", 108): "over 107 bytes",
	} {
		faults := faultsOf(native.Listener{Address: address}.Check)
		if len(faults) != 1 || !strings.Contains(faults[0], want) || !strings.HasPrefix(faults[0], "address: ") {
			t.Errorf("%s: %q, want %q", address, faults, want)
		}
	}
}

func TestTwoListenersOnOneAddressAreRefused(t *testing.T) {
	at := func(api, admin string) native.Config {
		return native.Config{API: native.Listener{Address: api}, Admin: native.Listener{Address: admin}}
	}
	if faults := faultsOf(at("127.0.0.1:1", "127.0.0.1:1").Check); len(faults) != 1 {
		t.Errorf("one address: %q", faults)
	}
	if faults := faultsOf(at("127.0.0.1:0", "127.0.0.1:0").Check); faults != nil {
		t.Errorf("port 0 twice: %q", faults)
	}
}

func TestHalfAnIdentityIsRefused(t *testing.T) {
	for want, cfg := range map[string]native.TLS{
		"key_file":       {CertFile: "a"},
		"cert_file":      {KeyFile: "a"},
		"client_ca_file": {ClientCAFile: "a"},
	} {
		if faults := faultsOf(cfg.Check); len(faults) != 1 || !strings.HasPrefix(faults[0], want+": ") {
			t.Errorf("%+v: %q", cfg, faults)
		}
	}
	if faults := faultsOf(native.TLS{}.Check); faults != nil {
		t.Errorf("no TLS: %q", faults)
	}
}

func TestCheckReportsAllFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty"), "# no key\n\n")
	write(t, filepath.Join(dir, "short"), "0123456789abcdef\nshort\n")
	id := newIdentity(t)
	write(t, filepath.Join(dir, "no.pem"), "no certificate")
	err := native.Check(native.Config{
		API: native.Listener{
			BearerKeysFile: filepath.Join(dir, "empty"),
			TLS:            native.TLS{CertFile: filepath.Join(dir, "none.pem"), KeyFile: filepath.Join(dir, "none.key")},
		},
		Admin: native.Listener{
			BearerKeysFile: filepath.Join(dir, "short"),
			TLS:            native.TLS{CertFile: id.cert, KeyFile: id.key, ClientCAFile: filepath.Join(dir, "no.pem")},
		},
	})
	for _, want := range []string{"load certificate", "the file has none", "the key in line 2 is shorter than 16 bytes", "no certificate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "0123456789abcdef") {
		t.Errorf("a key is shown: %v", err)
	}
	err = native.Check(native.Config{API: native.Listener{
		BearerKeysFile: filepath.Join(dir, "none"), TLS: native.TLS{CertFile: id.cert, KeyFile: id.key, ClientCAFile: filepath.Join(dir, "none")},
	}})
	if err == nil || !strings.Contains(err.Error(), "read caller keys") || !strings.Contains(err.Error(), "load client authorities") {
		t.Errorf("missing files: %v", err)
	}
	if err := native.Check(native.Config{Admin: native.Listener{TLS: native.TLS{CertFile: id.cert, KeyFile: id.key, ClientCAFile: id.cert}}}); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
}
