package listen_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func socket(t *testing.T) (path string, cfg listen.Config) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg, path = loopback(), filepath.Join(dir, "api.sock")
	cfg.Address = "unix://" + path
	return path, cfg
}

// answered expects an answer from the socket at path.
func answered(t *testing.T, path string) {
	t.Helper()
	over := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	if body, _, err := get(t, over, "http://sidecar"); err != nil || body != "hello" {
		t.Errorf("answered %q: %v", body, err)
	}
}

func TestAUnixSocketHasItsMode(t *testing.T) {
	for query, want := range map[string]os.FileMode{"": 0o660, "?mode=0600": 0o600, "?mode=666": 0o666} {
		path, cfg := socket(t)
		cfg.Address += query
		serve(t, cfg, hello, deps())
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q: mode %o, want %o", query, got, want)
		}
		answered(t, path)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path, cfg := socket(t)
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	_ = old.Close()
	serve(t, cfg, hello, deps())
	answered(t, path)
}

func TestALiveSocketIsLeftAlone(t *testing.T) {
	path, cfg := socket(t)
	serve(t, cfg, hello, deps())
	if ln, err := listen.Open(cfg, deps()); err == nil ||
		!strings.Contains(err.Error(), "another process answers there") {
		t.Fatalf("listened on %v: %v", ln, err)
	}
	answered(t, path)
}

func TestAFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	path, cfg := socket(t)
	testkit.WriteFile(t, path, "precious")
	if _, err := listen.Open(cfg, deps()); err == nil {
		t.Error("listened")
	}
	if got := testkit.ReadFile(t, path); got != "precious" {
		t.Errorf("the file holds %q", got)
	}
}

func TestASocketIsGoneAfterTheShutdown(t *testing.T) {
	path, cfg := socket(t)
	d := serve(t, cfg, hello, deps())
	answered(t, path)
	if err := d.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is there: %v", err)
	}
}

func TestOpenRefusesAnAddressThatItCannotOpen(t *testing.T) {
	taken, dir := testkit.Listen(t), t.TempDir()
	for want, address := range map[string]string{
		"listen.api.address: listen on": taken.Addr().String(),
		"neither loopback nor a Unix":   "0.0.0.0:0",
		"none\" does not exist":         "unix://" + dir + "/none/api.sock",
		"is not an octal file mode":     "unix://" + dir + "/api.sock?mode=rw",
		"is not unix:///path":           "unix://" + dir + "/%zz",
	} {
		cfg := loopback()
		cfg.Address = address
		ln, err := listen.Open(cfg, deps())
		if err == nil {
			ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "listen.api") {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
