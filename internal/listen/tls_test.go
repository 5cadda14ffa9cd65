package listen_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// files writes a certificate and its key where cfg names them, and the authorities of clients if there are any.
func files(t *testing.T, cfg listen.TLS, certificate testkit.Certificate, clients ...testkit.Certificate) {
	t.Helper()
	testkit.WriteFile(t, cfg.CertFile, certificate.PEM())
	testkit.WriteFile(t, cfg.KeyFile, testkit.KeyPEM(t, certificate.PrivateKey))
	var authorities strings.Builder
	for _, c := range clients {
		authorities.WriteString(c.PEM())
	}
	if len(clients) > 0 {
		testkit.WriteFile(t, cfg.ClientCAFile, authorities.String())
	}
}

func inDirectory(t *testing.T) listen.TLS {
	t.Helper()
	dir := t.TempDir()
	return listen.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
}

// trusting is a client of a server with certificate, which shows its own.
func trusting(certificate testkit.Certificate, own ...tls.Certificate) *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: certificate.Pool(), Certificates: own}}
}

// serial is the serial number of the certificate that a server shows.
func serial(t *testing.T, d *listen.HTTP) string {
	t.Helper()
	conn, err := tls.Dial("tcp", d.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func serialOf(c testkit.Certificate) string { return c.Leaf.SerialNumber.String() }

func TestACertificateIsServed(t *testing.T) {
	certificate, cfg := testkit.SelfSigned(t), loopback()
	cfg.TLS = inDirectory(t)
	files(t, cfg.TLS, certificate)
	d := serve(t, cfg, hello, deps())
	body, state, err := get(t, trusting(certificate), "https://"+d.Addr().String())
	if err != nil || body != "hello" || state.Version != tls.VersionTLS13 {
		t.Errorf("answered %q: %v", body, err)
	}
	if _, err := tls.Dial("tcp", d.Addr().String(), &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestClientCertificatesAreRequired(t *testing.T) {
	certificate, client, other, cfg := testkit.SelfSigned(t), testkit.SelfSigned(t), testkit.SelfSigned(t), loopback()
	cfg.TLS = inDirectory(t)
	cfg.TLS.ClientCAFile = filepath.Join(t.TempDir(), "clients.crt")
	files(t, cfg.TLS, certificate, client)
	url := "https://" + serve(t, cfg, hello, deps()).Addr().String()
	if body, _, err := get(t, trusting(certificate, client.Certificate), url); err != nil || body != "hello" {
		t.Errorf("answered %q: %v", body, err)
	}
	for name, own := range map[string][]tls.Certificate{"none": nil, "one of another authority": {other.Certificate}} {
		if body, _, err := get(t, trusting(certificate, own...), url); err == nil {
			t.Errorf("%s: answered %q", name, body)
		}
	}
}

func TestAChangedCertificateIsServedWithoutARestart(t *testing.T) {
	t.Parallel()
	first, second, cfg := testkit.SelfSigned(t), testkit.SelfSigned(t), loopback()
	cfg.TLS = inDirectory(t)
	files(t, cfg.TLS, first)
	var log testkit.LogBuffer
	with := deps()
	with.Log = log.Logger()
	d := serve(t, cfg, hello, with)
	if got := serial(t, d); got != serialOf(first) {
		t.Fatalf("serial number is %s", got)
	}
	old := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: first.Pool()}}
	defer old.CloseIdleConnections()
	open := &http.Client{Transport: old}
	ask := func() {
		t.Helper()
		resp, err := open.Get("https://" + d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body) // else the connection is not used again
		resp.Body.Close()
	}
	ask()
	files(t, cfg.TLS, second)
	testkit.Eventually(t, "the new certificate is served", func() bool { return serial(t, d) == serialOf(second) })
	ask() // over the connection that is open
	if !log.Has("changed files of a listener are used from now on") || !log.Has("files=tls") {
		t.Errorf("the log is\n%s", log.String())
	}
}

func TestABrokenCertificateIsLoggedAndCountedAndTheFormerOneServed(t *testing.T) {
	t.Parallel()
	first, second, cfg := testkit.SelfSigned(t), testkit.SelfSigned(t), loopback()
	cfg.TLS = inDirectory(t)
	files(t, cfg.TLS, first)
	var log testkit.LogBuffer
	registry := testkit.NewRegistry()
	with := deps()
	with.Log, with.Metrics, with.Files = log.Logger(), registry, &listen.Files{}
	d := serve(t, cfg, hello, with)
	told := func() (l status.Listener) { with.Files.AddStatus(&l); return l }
	if l := told(); l.Faults != nil || !l.CertificateExpires.Equal(first.Leaf.NotAfter) {
		t.Errorf("at first: %+v", l)
	}
	count := func(outcome string) float64 {
		return registry.Value(t, `sidecar_listen_reloads_total{files="tls",listener="api",outcome="`+outcome+`"}`)
	}
	for i, broken := range []string{second.PEM()[:200], second.PEM(), first.PEM() + second.PEM()[:200]} {
		testkit.WriteFile(t, cfg.TLS.CertFile, broken)
		testkit.Eventually(t, "the broken file is counted", func() bool {
			if got := serial(t, d); got != serialOf(first) {
				t.Fatalf("serial number is %s", got)
			}
			return count("failed") == float64(i+1)
		})
	}
	if err := os.Remove(cfg.TLS.CertFile); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the missing file is counted", func() bool { serial(t, d); return count("failed") == 4 })
	if log.Count("changed files of a listener cannot be used, the former content is kept") != 4 {
		t.Errorf("the log is\n%s", log.String())
	}
	if f := told().Faults; len(f) != 1 || f[0].Part != "tls" || f[0].Kind != "misconfigured" || f[0].Since.IsZero() ||
		!strings.Contains(f[0].Cause, "cert_file: read file") {
		t.Errorf("faults %+v", f)
	}
	files(t, cfg.TLS, second)
	testkit.Eventually(t, "the new certificate is served", func() bool { return serial(t, d) == serialOf(second) })
	if l := told(); l.Faults != nil || !l.CertificateExpires.Equal(second.Leaf.NotAfter) ||
		registry.Value(t, `sidecar_listen_certificate_expiry_timestamp_seconds{listener="api"}`) !=
			float64(second.Leaf.NotAfter.Unix()) {
		t.Errorf("in the end: %+v", l)
	}
	if got := count("ok"); got != 1 {
		t.Errorf("%v changes are counted as used", got)
	}
}

// crypto/tls resumes a session without looking at the authorities again where its tickets are still good.
func TestASessionOfARemovedAuthorityIsNotResumed(t *testing.T) {
	t.Parallel()
	certificate, client, other, cfg := testkit.SelfSigned(t), testkit.SelfSigned(t), testkit.SelfSigned(t), loopback()
	cfg.TLS = inDirectory(t)
	cfg.TLS.ClientCAFile = filepath.Join(t.TempDir(), "clients.crt")
	files(t, cfg.TLS, certificate, client)
	url := "https://" + serve(t, cfg, hello, deps()).Addr().String()
	as := trusting(certificate, client.Certificate)
	as.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(10)
	if _, _, err := get(t, as, url); err != nil {
		t.Fatal(err)
	}
	files(t, cfg.TLS, certificate, other)
	testkit.Eventually(t, "the new authority counts", func() bool {
		_, _, err := get(t, trusting(certificate, other.Certificate), url)
		return err == nil
	})
	if body, state, err := get(t, as, url); err == nil {
		t.Errorf("answered %q, resumed: %t", body, state.DidResume)
	}
}

func TestOpenRefusesFilesThatItCannotUse(t *testing.T) {
	certificate, other, dir := testkit.SelfSigned(t), testkit.SelfSigned(t), t.TempDir()
	good := inDirectory(t)
	files(t, good, certificate)
	missing, noKey := filepath.Join(dir, "none"), testkit.TempFile(t, "k", testkit.KeyPEM(t, other.PrivateKey))
	neither := testkit.TempFile(t, "n", "no PEM")
	encrypted := testkit.TempFile(t, "e", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE "+
		"KEY-----\n")
	for name, c := range map[string]struct {
		tls  listen.TLS
		want string
	}{
		"no certificate": {listen.TLS{CertFile: missing, KeyFile: good.KeyFile}, "cert_file: read file"},
		"no key":         {listen.TLS{CertFile: good.CertFile, KeyFile: missing}, "key_file: read file"},
		"the key of another": {listen.TLS{CertFile: good.CertFile, KeyFile: noKey},
			"key_file: the private key is of another certificate"},
		"both under the name of the other": {listen.TLS{CertFile: good.KeyFile, KeyFile: good.CertFile},
			"cert_file: it holds a private key"},
		"the certificate twice": {listen.TLS{CertFile: good.CertFile, KeyFile: good.CertFile},
			"key_file: it holds a certificate"},
		"a certificate in another form": {listen.TLS{CertFile: neither, KeyFile: good.KeyFile},
			"cert_file: no certificate in PEM form"},
		"a key in another form": {listen.TLS{CertFile: good.CertFile, KeyFile: neither},
			"key_file: no private key in PEM form"},
		"an encrypted key": {listen.TLS{CertFile: good.CertFile, KeyFile: encrypted},
			"key_file: the private key is encrypted: store it without a passphrase"},
		"authorities that are not": {listen.TLS{CertFile: good.CertFile, KeyFile: good.KeyFile, ClientCAFile: noKey},
			"client_ca_file"},
	} {
		cfg := loopback()
		cfg.TLS = c.tls
		_, err := listen.Open(cfg, deps())
		checked := listen.Check(cfg, deps())
		if err == nil || !strings.HasPrefix(err.Error(), "listen.api.tls: load certificate: ") ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v", name, err)
		}
		if err == nil || checked == nil || checked.Error() != err.Error() {
			t.Errorf("%s: check says %v, open %v", name, checked, err)
		}
	}
}
