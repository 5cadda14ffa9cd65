package listen_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

// faultsOf lists what a Check reports, as "key: cause".
func faultsOf(t *testing.T, check func(fault func(key, cause, hint string))) []string {
	t.Helper()
	var all []string
	check(func(key, cause, hint string) {
		if hint == "" {
			t.Errorf("%s: %s has no hint", key, cause)
		}
		all = append(all, key+": "+cause)
	})
	return all
}

func TestAddressesThatAreSafe(t *testing.T) {
	dir := t.TempDir()
	for _, l := range []listen.Config{
		{Address: "127.0.0.1:8181"}, {Address: "127.1.2.3:0"}, {Address: "[::1]:8181"}, {Address: "localhost:8181"},
		{Address: "[::ffff:127.0.0.1]:1"},
		{Address: "0.0.0.0:8181", Insecure: true}, {Address: ":8181", TLS: listen.TLS{CertFile: "a", KeyFile: "b"}},
		{}, {Address: "unix://" + dir + "/api.sock"}, {Address: "unix://" + dir + "/api.sock?mode=0600"},
	} {
		if faults := faultsOf(t, l.Check); faults != nil {
			t.Errorf("%s: %q", l.Address, faults)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	for address, want := range map[string]string{
		"127.0.0.1":                                      "is not host:port",
		"127.0.0.1:http":                                 "is not a number",
		"127.0.0.1:65536":                                "is not a number",
		"0.0.0.0:8181":                                   "neither loopback nor a Unix socket",
		":8181":                                          "neither loopback nor a Unix socket",
		"10.0.0.1:8181":                                  "neither loopback nor a Unix socket",
		"localhost.example:8181":                         "neither loopback nor a Unix socket",
		"unix:api.sock":                                  "is not unix:///path",
		"unix://host/api.sock":                           "is not unix:///path",
		"unix://" + dir + "/":                            "is not unix:///path",
		"unix://" + dir + "/a?mode=9":                    "is not an octal file mode",
		"unix://" + dir + "/a?mode=4777":                 "is not an octal file mode",
		"unix://" + dir + "/a?mode=1&mode=2":             "no other option than one mode",
		"unix://" + dir + "/a?owner=root":                "no other option than one mode",
		"unix://" + dir + "/none/a":                      "does not exist",
		"unix://" + dir + "/" + strings.Repeat("a", 108): "over 107 bytes",
	} {
		faults := faultsOf(t, listen.Config{Address: address}.Check)
		if len(faults) != 1 || !strings.Contains(faults[0], want) || !strings.HasPrefix(faults[0], "address: ") {
			t.Errorf("%s: %q, want %q", address, faults, want)
		}
	}
}

func TestKeysOfAListenerWithoutAnAddressAreRefused(t *testing.T) {
	for _, l := range []listen.Config{
		{Insecure: true}, {TLS: listen.TLS{CertFile: "a", KeyFile: "b"}}, {Hosts: []string{"a"}},
		{BearerKeysFile: "a"},
	} {
		if faults := faultsOf(t, l.Check); len(faults) != 1 || !strings.HasPrefix(faults[0], "address: is empty") {
			t.Errorf("%+v: %q", l, faults)
		}
	}
}

func TestAListenerWithoutAnAddressIsNotOpened(t *testing.T) {
	ln, err := listen.Open(listen.Config{Limits: conf.Default[listen.Limits]()}, listen.Deps{Name: "metrics"})
	if err == nil || err.Error() != "listen.metrics.address: is empty" {
		t.Errorf("listens on %v, %v", ln, err)
	}
}

func TestHalfAnIdentityIsRefused(t *testing.T) {
	for want, cfg := range map[string]listen.TLS{
		"key_file":       {CertFile: "a"},
		"cert_file":      {KeyFile: "a"},
		"client_ca_file": {ClientCAFile: "a"},
	} {
		if faults := faultsOf(t, cfg.Check); len(faults) != 1 || !strings.HasPrefix(faults[0], want+": ") {
			t.Errorf("%+v: %q", cfg, faults)
		}
	}
	if faults := faultsOf(t, listen.TLS{}.Check); faults != nil {
		t.Errorf("no TLS: %q", faults)
	}
}

func TestHostsAreNamesAndAddresses(t *testing.T) {
	hosts := []string{"a.example", "*", "::1", "https://a", "a:80"}
	if faults := faultsOf(t, listen.Config{Address: "127.0.0.1:1", Hosts: hosts}.Check); len(faults) != 2 {
		t.Errorf("faults %q", faults)
	}
	socket := listen.Config{Address: "unix://" + t.TempDir() + "/s", Hosts: []string{"a"}}
	if faults := faultsOf(t, socket.Check); len(faults) != 1 || !strings.Contains(faults[0], "no names") {
		t.Errorf("faults %q", faults)
	}
}
