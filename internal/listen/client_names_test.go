package listen_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// workload is a client certificate with a SPIFFE ID, and no other name but the common one.
func workload(t *testing.T, a testkit.Authority, id string) testkit.Certificate {
	t.Helper()
	u, err := url.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	template := testkit.ClientTemplate("gateway.example.org")
	template.DNSNames, template.URIs = nil, []*url.URL{u}
	return a.Issue(t, template)
}

// changed is a client certificate of a configured name that differs in something else.
func changed(t *testing.T, a testkit.Authority, change func(*x509.Certificate)) []tls.Certificate {
	t.Helper()
	template := testkit.ClientTemplate("gateway.example.org")
	change(&template)
	return []tls.Certificate{a.Issue(t, template).Certificate}
}

func TestOnlyCallersWithAConfiguredNameFinishTheHandshake(t *testing.T) {
	server, authority, other, cfg := testkit.SelfSigned(t), testkit.NewAuthority(t), testkit.NewAuthority(
		t), loopback()
	cfg.TLS = inDirectory(t)
	cfg.TLS.ClientCAFile = filepath.Join(t.TempDir(), "clients.crt")
	cfg.TLS.ClientNames = []string{"spiffe://example.org/gateway", "gateway.example.org"}
	files(t, cfg.TLS, server, authority.Certificate)
	with := deps()
	with.Protocols = []string{"http/1.1"} // a copy of the configuration: it must check names too
	for name, d := range map[string]listen.Deps{"protocols of crypto/tls": deps(), "own protocols": with} {
		url := "https://" + serve(t, cfg, hello, d).Addr().String()
		for what, own := range map[string]testkit.Certificate{
			"the SPIFFE ID":            workload(t, authority, "spiffe://example.org/gateway"),
			"the DNS name":             authority.Client(t, "gateway.example.org"),
			"the DNS name in capitals": authority.Client(t, "Gateway.Example.Org"),
		} {
			if body, _, err := get(t, trusting(server, own.Certificate), url); err != nil || body != "hello" {
				t.Errorf("%s, %s: answered %q: %v", name, what, body, err)
			}
		}
		for what, own := range map[string][]tls.Certificate{
			"no certificate":        nil,
			"another path":          {workload(t, authority, "spiffe://example.org/gateway2").Certificate},
			"a path below":          {workload(t, authority, "spiffe://example.org/gateway/x").Certificate},
			"another case":          {workload(t, authority, "spiffe://example.org/Gateway").Certificate},
			"the common name alone": {workload(t, authority, "spiffe://example.org/other").Certificate},
			"a wildcard":            {authority.Client(t, "*.example.org").Certificate},
			"a name below":          {authority.Client(t, "a.gateway.example.org").Certificate},
			"an expired one": changed(t, authority, func(c *x509.Certificate) {
				c.NotAfter = time.Now().Add(-time.Minute)
			}),
			"one that is not valid yet": changed(t, authority, func(c *x509.Certificate) {
				c.NotBefore = time.Now().Add(time.Hour)
			}),
			"one for servers alone": changed(t, authority, func(c *x509.Certificate) {
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			}),
			"a name of another issuer": {other.Client(t, "gateway.example.org").Certificate},
		} {
			if body, _, err := get(t, trusting(server, own...), url); err == nil {
				t.Errorf("%s, %s: answered %q", name, what, body)
			}
		}
	}
}

func TestNamesOfCallersStayInForceWhenFilesChange(t *testing.T) {
	t.Parallel()
	server, first, second, cfg := testkit.SelfSigned(t), testkit.NewAuthority(t), testkit.NewAuthority(t), loopback()
	cfg.TLS = inDirectory(t)
	cfg.TLS.ClientCAFile = filepath.Join(t.TempDir(), "clients.crt")
	cfg.TLS.ClientNames = []string{"gateway.example.org"}
	files(t, cfg.TLS, server, first.Certificate)
	url := "https://" + serve(t, cfg, hello, deps()).Addr().String()
	files(t, cfg.TLS, server, second.Certificate)
	testkit.Eventually(t, "the new authority counts", func() bool {
		_, _, err := get(t, trusting(server, second.Client(t, "gateway.example.org").Certificate), url)
		return err == nil
	})
	if body, _, err := get(t, trusting(server, second.Client(t, "app.example.org").Certificate), url); err == nil {
		t.Errorf("answered %q", body)
	}
}

func TestNamesThatNoCallerCanHaveAreFaults(t *testing.T) {
	cfg := listen.TLS{CertFile: "a", KeyFile: "a", ClientCAFile: "a"}
	cfg.ClientNames = []string{"spiffe://example.org/gateway", "gateway.example.org", "Gateway.Example.Org"}
	if faults := faultsOf(t, cfg.Check); faults != nil {
		t.Errorf("good names: %q", faults)
	}
	for _, name := range []string{
		"", "*", "*.example.org", "spiffe://example.org/*", "10.0.0.1", "::1", "gateway.example.org:443", "a b",
		"spiffe:gateway", "/gateway", "CN=gateway",
	} {
		cfg.ClientNames = []string{name}
		faults := faultsOf(t, cfg.Check)
		if len(faults) != 1 || !strings.HasPrefix(faults[0], "client_names[0]: ") {
			t.Errorf("%q: %q", name, faults)
		}
	}
	cfg = listen.TLS{CertFile: "a", KeyFile: "a", ClientNames: []string{"gateway.example.org"}}
	if faults := faultsOf(t, cfg.Check); len(faults) != 1 || !strings.HasPrefix(faults[0], "client_names: ") {
		t.Errorf("names without authorities: %q", faults)
	}
}
