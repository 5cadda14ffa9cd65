package probe_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/probe"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// at is a listener of the probes at an address.
func at(address string) listen.Config {
	return listen.Config{Address: address, Limits: conf.Default[listen.Limits]()}
}

func socket(t *testing.T) listen.Config {
	t.Helper()
	return at("unix://" + filepath.Join(t.TempDir(), "api.sock") + "?mode=0600")
}

// secured is cfg with a certificate, in files.
func secured(t *testing.T, cfg listen.Config, c testkit.Certificate) listen.Config {
	t.Helper()
	cfg.TLS.CertFile, cfg.TLS.KeyFile = c.Files(t)
	return cfg
}

// probes is a sidecar that is alive and stops.
var probes = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case probe.Live:
		_, _ = io.WriteString(w, `{"alive": true}`)
	case probe.Ready:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"ready": false, "because": "stopping", "message": "the sidecar\u001b is stopping"}`)
	case "/moved":
		http.Redirect(w, r, probe.Live, http.StatusFound)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
})

// serve serves the probes until the test ends, and returns the configuration with the port that was chosen.
func serve(t *testing.T, cfg listen.Config) listen.Config {
	t.Helper()
	d, err := listen.OpenHTTP(cfg, probes, listen.Deps{Name: "api", Log: slog.New(slog.DiscardHandler),
		Calls: new(listen.Calls)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Serve() }()
	t.Cleanup(func() {
		over, stop := context.WithCancel(context.Background())
		stop()
		_ = d.Shutdown(over)
		<-ended
	})
	if strings.HasSuffix(cfg.Address, ":0") {
		cfg.Address = strings.TrimSuffix(cfg.Address, "0") + port(d.Addr().String())
	}
	return cfg
}

func port(address string) string { return address[strings.LastIndex(address, ":")+1:] }

func own(t *testing.T, path string, listeners ...listen.Config) probe.Target {
	t.Helper()
	target, err := probe.Own(path, listeners...)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// ask asks for as long as a busy machine needs.
func ask(t *testing.T, target probe.Target) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := target.Check(); err != nil {
		t.Fatal(err)
	}
	return target.Ask(ctx)
}

func wants(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("error is %v, want one line with %q", err, part)
	}
}

func TestEveryKindOfListenerOfAConfigurationIsAsked(t *testing.T) {
	certificate := testkit.SelfSigned(t)
	for name, cfg := range map[string]listen.Config{
		"a port": at("127.0.0.1:0"), "every address": {Address: "0.0.0.0:0", Insecure: true},
		"no host": {Address: ":0",
			Insecure: true}, "every address of IPv6": {Address: "[::]:0", Insecure: true}, "a socket": socket(t),
		"a port with TLS":        secured(t, at("127.0.0.1:0"), certificate),
		"every address with TLS": secured(t, at("0.0.0.0:0"), certificate),
		"a socket with TLS":      secured(t, socket(t), certificate),
	} {
		cfg.Limits = conf.Default[listen.Limits]()
		cfg = serve(t, cfg)
		if err := ask(t, own(t, probe.Live, cfg)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wants(t, ask(t, own(t, probe.Ready, cfg)), "not ready: the sidecar  is stopping")
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	cfg := serve(t, at("127.0.0.1:0"))
	if err := ask(t, probe.Target{URL: "http://" + cfg.Address, Path: probe.Live}); err != nil {
		t.Error(err)
	}
}

func TestAPathOfTheURLIsAskedAsItIs(t *testing.T) {
	cfg := serve(t, at("127.0.0.1:0"))
	if err := ask(t, probe.Target{URL: "http://" + cfg.Address + "/livez", Path: probe.Ready}); err != nil {
		t.Error(err)
	}
	wants(t, ask(t, probe.Target{URL: "http://" + cfg.Address + "/", Path: probe.Ready}), "stopping")
	wants(t, ask(t, probe.Target{URL: "http://" + cfg.Address + "/other", Path: probe.Ready}), "the answer is 404")
	wants(t, ask(t, probe.Target{URL: "http://" + cfg.Address + "/moved", Path: probe.Ready}), "the answer is 302")
}

func TestASocketIsAskedByItsURL(t *testing.T) {
	cfg := serve(t, socket(t))
	path, _, _ := strings.Cut(cfg.Address, "?")
	for _, url := range []string{cfg.Address, path} {
		if err := ask(t, probe.Target{URL: url, Path: probe.Live}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	wants(t, ask(t, probe.Target{URL: path + ".none", Path: probe.Live}), "there is no such socket")
}

func TestAListenerIsTrustedByItsAuthority(t *testing.T) {
	authority := testkit.NewAuthority(t)
	cfg := serve(t, secured(t, at("127.0.0.1:0"), authority.Server(t)))
	ca := testkit.TempFile(t, "ca.pem", authority.PEM())
	target := probe.Target{URL: "https://" + cfg.Address, Path: probe.Live, CAFile: ca}
	if err := ask(t, target); err != nil {
		t.Error(err)
	}
	target.ServerName = "localhost"
	if err := ask(t, target); err != nil {
		t.Errorf("another name of the certificate: %v", err)
	}
	target.ServerName = "other.example"
	wants(t, ask(t, target), `its certificate is not valid for "other.example", only for "localhost", "127.0.0.1"`)
	target.ServerName, target.CAFile = "", testkit.TempFile(t, "ca.pem", testkit.NewAuthority(t).PEM())
	wants(t, ask(t, target), "its certificate is signed by an unknown authority")
	target.CAFile = testkit.TempFile(t, "ca.pem", "x")
	wants(t, ask(t, target), "has no certificate")
}

func TestAnotherSchemeIsToldInWords(t *testing.T) {
	plain, encrypted := serve(t, at("127.0.0.1:0")), serve(t, secured(t, at("127.0.0.1:0"), testkit.SelfSigned(t)))
	wants(t, ask(t, probe.Target{URL: "https://" + plain.Address, Path: probe.Live}),
		"this port speaks plain HTTP, and the URL says https")
	wants(t, ask(t, probe.Target{URL: "http://" + encrypted.Address, Path: probe.Live}),
		"this port speaks TLS, and the URL says http")
}

func TestTargetsThatCannotBeAskedAreRefused(t *testing.T) {
	for _, url := range []string{
		"127.0.0.1:8181", "http://user:pw@127.0.0.1:1", "http://", "unix:api.sock", "unix://host/api.sock",
		"ftp://127.0.0.1", "", "http://127.0.0.1:1#a",
	} {
		err := probe.Target{URL: url}.Check()
		if wants(t, err, "the URL of a listener is http://host:port"); strings.Contains(err.Error(), "pw") {
			t.Errorf("a password is told: %v", err)
		}
	}
	wants(t, probe.Target{URL: "http://127.0.0.1:1", CertFile: "a"}.Check(), "needs both")
}

func TestASilentListenerIsNotWaitedForLonger(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wants(t, probe.Target{URL: "http://" + testkit.Listen(t).Addr().String(), Path: probe.Live}.Ask(ctx),
		"no answer in time")
}
