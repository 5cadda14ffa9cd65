package listen_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	first  = "0123456789abcdef-first"
	second = "0123456789abcdef-second"
)

func TestChangedCallerKeysCountWithoutARestart(t *testing.T) {
	t.Parallel()
	cfg := loopback()
	cfg.BearerKeysFile = testkit.TempFile(t, "keys", "# callers\n"+first+"\n")
	g, err := listen.NewGuard(cfg, deps())
	if err != nil {
		t.Fatal(err)
	}
	accepts := func(authorization string) bool { return g.CheckKey(authorization) == nil }
	if !accepts("Bearer "+first) || accepts("Bearer "+second) || accepts("Basic "+first) || accepts("") {
		t.Error("not just the one key opens the listener")
	}
	testkit.WriteFile(t, cfg.BearerKeysFile, second)
	testkit.Eventually(t, "the new key counts", func() bool { return accepts("bearer " + second) })
	if accepts("Bearer " + first) {
		t.Error("the former key counts")
	}
	testkit.WriteFile(t, cfg.BearerKeysFile, "short")
	if !accepts("Bearer " + second) {
		t.Error("a broken file took the keys away")
	}
}

func TestAListenerWithoutKeysAndNamesAcceptsEveryCall(t *testing.T) {
	_, cfg := socket(t)
	g, err := listen.NewGuard(cfg, deps())
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Host: "anything.example", Header: http.Header{"Origin": {"https://anything.example"}}}
	if err := g.CheckName(r); err != nil || g.CheckKey("") != nil {
		t.Errorf("refused: %v", err)
	}
}

func TestFilesOfCallerKeysThatCannotBeUsed(t *testing.T) {
	for want, text := range map[string]string{
		"the file has none": "# no key\n\n", "the key in line 2 is shorter than 16 bytes": "0123456789abcdef\nshort\n",
	} {
		cfg := loopback()
		cfg.BearerKeysFile = testkit.TempFile(t, "keys", text)
		err := listen.Check(cfg, deps())
		if err == nil || !strings.HasPrefix(err.Error(), "listen.api.bearer_keys_file: read caller keys: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("a key is shown: %v", err)
		}
	}
}

// TestAProbeByTheAddressThatItAsksIsAccepted: kubelet asks a pod by its address, which no configuration knows.
func TestAProbeByTheAddressThatItAsksIsAccepted(t *testing.T) {
	for _, hosts := range [][]string{nil, {"metrics.example"}} {
		g, err := listen.NewGuard(listen.Config{Address: "0.0.0.0:9090", Insecure: true, Hosts: hosts}, listen.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		probe := httptest.NewRequest(http.MethodGet, "http://10.1.2.3:9090/readyz", nil)
		arrived := net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 9090}
		probe = probe.WithContext(context.WithValue(probe.Context(), http.LocalAddrContextKey, net.Addr(&arrived)))
		if err := g.CheckName(probe); err != nil {
			t.Errorf("hosts %q: %v", hosts, err)
		}
		if probe.Host = "10.9.9.9:9090"; (g.CheckName(probe) == nil) != (hosts == nil) {
			t.Errorf("hosts %q: Host %s is told %v", hosts, probe.Host, g.CheckName(probe))
		}
	}
}
