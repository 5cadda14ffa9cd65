package listen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// from is a connection of an address.
type from struct {
	net.Conn
	address netip.AddrPort
}

func (f from) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.address) }

func at(address string) net.Conn {
	return from{address: netip.AddrPortFrom(netip.MustParseAddr(address), 40000)}
}

// onceEach is a listener that takes one call of each caller.
func onceEach() listen.Config {
	cfg := loopback()
	cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.001}
	return cfg
}

func guard(t *testing.T, cfg listen.Config, deps listen.Deps) *listen.Guard {
	t.Helper()
	g, err := listen.NewGuard(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestACallerMayCallAtItsRateAndInBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := loopback()
		cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.5, Burst: 3}
		g := guard(t, cfg, deps())
		for i := range 3 {
			if err := g.Admit(at("10.0.0.1"), ""); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		for range 3 { // refusals use nothing up
			over, ok := errors.AsType[*listen.OverLimit](g.Admit(at("10.0.0.1"), ""))
			if !ok || over.Wait != 2*time.Second || over.RetryAfter() != "2" {
				t.Errorf("the call over the burst: %+v", over)
			}
		}
		time.Sleep(2 * time.Second)
		if err := g.Admit(at("10.0.0.1"), ""); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestCallersAreToldApart(t *testing.T) {
	for what, c := range map[string]struct {
		first, second string
		same          bool
	}{
		"addresses":              {"10.0.0.1", "10.0.0.2", false},
		"an address, mapped":     {"10.0.0.1", "::ffff:10.0.0.1", true},
		"a subscriber of IPv6":   {"2001:db8::1", "2001:db8::ffff", true},
		"two subscribers":        {"2001:db8::1", "2001:db8:0:1::1", false},
		"a link-local interface": {"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		g := guard(t, onceEach(), deps())
		if err := g.Admit(at(c.first), ""); err != nil {
			t.Errorf("%s: the first call: %v", what, err)
		}
		if err := g.Admit(at(c.second), ""); (err != nil) != c.same {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCallersWithKeysAreKnownByThemWhereverTheyCallFrom(t *testing.T) {
	cfg := onceEach()
	cfg.BearerKeysFile = testkit.TempFile(t, "keys", "# callers\n"+first+"\n"+second+"\n")
	log := &testkit.LogBuffer{}
	on := deps()
	on.Log = slog.New(slog.NewTextHandler(log, nil))
	registry := testkit.NewRegistry()
	on.Metrics = registry
	g := guard(t, cfg, on)
	for range 3 {
		if err := g.Admit(at("10.0.0.1"), "Bearer of-none-that-is-known"); !errors.Is(err, listen.ErrNoKey) {
			t.Fatalf("an unknown key: %v", err)
		}
	}
	if err := g.Admit(at("10.0.0.1"), "Bearer "+first); err != nil {
		t.Errorf("the first key: %v", err)
	}
	if err := g.Admit(at("10.0.0.2"), "Bearer "+first); err == nil {
		t.Error("the first key passes from another address")
	}
	if err := g.Admit(at("10.0.0.1"), "Bearer "+second); err != nil {
		t.Errorf("the second key: %v", err)
	}
	if text := log.String(); !strings.Contains(text, `caller="line 2 of bearer_keys_file"`) ||
		strings.Contains(text, first) {
		t.Errorf("the log tells %q", text)
	}
	if n := registry.Value(t, `sidecar_listen_limited_calls_total{caller="key",listener="api"}`); n != 1 {
		t.Errorf("%v calls are counted", n)
	}
}

func TestCallersWithCertificatesAreKnownByTheirNames(t *testing.T) {
	server, authority, cfg := testkit.SelfSigned(t), testkit.NewAuthority(t), onceEach()
	cfg.TLS = inDirectory(t)
	cfg.TLS.ClientCAFile = filepath.Join(t.TempDir(), "clients.crt")
	cfg.TLS.ClientNames = []string{"spiffe://example.org/gateway", "app.example.org"}
	files(t, cfg.TLS, server, authority.Certificate)
	g := guard(t, cfg, deps())
	url := "https://" + serve(t, cfg, admitting(g), deps()).Addr().String()
	for _, c := range []struct{ what, want string }{
		{"spiffe://example.org/gateway", "admitted"},
		{"spiffe://example.org/gateway", "the caller is over"}, // another certificate of the same name
		{"app.example.org", "admitted"},
		{"app.example.org", "the caller is over"},
	} {
		own := authority.Client(t, c.what)
		if strings.Contains(c.what, ":") {
			own = workload(t, authority, c.what)
		}
		body, _, err := get(t, trusting(server, own.Certificate), url)
		if err != nil || !strings.HasPrefix(body, c.want) {
			t.Errorf("%s: %q %v, want %s", c.what, body, err, c.want)
		}
	}
}

func TestCallersOfASocketAreKnownByTheirUser(t *testing.T) {
	path, cfg := socket(t)
	cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.001}
	log := &testkit.LogBuffer{}
	on := deps()
	on.Log = slog.New(slog.NewTextHandler(log, nil))
	serve(t, cfg, admitting(guard(t, cfg, on)), deps())
	over := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	for _, want := range []string{"admitted", "the caller is over"} {
		if body, _, err := get(t, over, "http://sidecar"); err != nil || !strings.HasPrefix(body, want) {
			t.Errorf("%q %v, want %s", body, err, want)
		}
	}
	// The second call makes the connection net/http's.
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\nPUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	text, err := io.ReadAll(conn)
	if n := strings.Count(string(text), "the caller is over"); err != nil || n != 2 {
		t.Errorf("%q %v, want two refusals", text, err)
	}
	if !strings.Contains(log.String(), "known_by=user") {
		t.Errorf("the log tells %q", log)
	}
}

// admitting answers whether a call is admitted.
func admitting(g *listen.Guard) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.Admit(listen.ConnOf(r), ""); err != nil {
			fmt.Fprint(w, err)
			return
		}
		fmt.Fprint(w, "admitted")
	})
}

// Of many callers the first is forgotten: their count is bounded, and so is their memory.
func TestAFloodOfAddressesIsForgotten(t *testing.T) {
	g := guard(t, onceEach(), deps())
	address := netip.MustParseAddr("10.0.0.0")
	for range 10_001 {
		if err := g.Admit(from{address: netip.AddrPortFrom(address, 1)}, ""); err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		address = address.Next()
	}
	if err := g.Admit(from{address: netip.AddrPortFrom(address.Prev(), 1)}, ""); err == nil {
		t.Error("the last caller is forgotten")
	}
	if err := g.Admit(at("10.0.0.0"), ""); err != nil {
		t.Error("the first caller is still known")
	}
}

func TestABurstWithoutARateIsAFault(t *testing.T) {
	if faults := faultsOf(t, listen.PerCaller{Burst: 5}.Check); len(faults) != 1 ||
		!strings.HasPrefix(faults[0], "burst: ") {
		t.Errorf("faults: %q", faults)
	}
	if faults := faultsOf(t, listen.PerCaller{Rate: 1, Burst: 5}.Check); faults != nil {
		t.Errorf("faults: %q", faults)
	}
}
