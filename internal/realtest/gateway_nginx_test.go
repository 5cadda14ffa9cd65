//go:build real

package realtest

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestNginxAsksOverAUnixSocketWithAKey: the page says how its files change.
func TestNginxAsksOverAUnixSocketWithAKey(t *testing.T) {
	t.Parallel()
	files := pageFiles(t, "nginx.md")
	socket := filepath.Join(openFolder(t), "s")
	for name, c := range map[string]struct {
		key    string
		status int
	}{
		"right key": {"9f2c1d7e5a4b8036-change-this-key", 200},
		"other key": {"another-key-of-another-gateway", 500},
	} {
		t.Run(name, func(t *testing.T) {
			keys := testkit.TempFile(t, "keys", "9f2c1d7e5a4b8036-change-this-key\n")
			g := startGuard(t, strings.Replace(files["sidecar.yaml"], "address: 127.0.0.1:8190",
				"address: unix://"+socket+"?mode=0666\n      bearer_keys_file: "+keys, 1))
			app := startApplication(t)
			at := places{listen: testkit.HoldPort(t).Addr(), application: app.address(), sidecar: "127.0.0.1:1",
				api: "127.0.0.1:1"}
			asks := strings.NewReplacer("/run/sidecar/nginx.sock", socket, "9f2c1d7e5a4b8036-change-this-key", c.key)
			const tcp = "    proxy_pass http://127.0.0.1:8190/;\n"
			files := map[string]string{"app.conf": strings.Replace(files["app.conf"], tcp,
				asks.Replace(files["socket.conf"]), 1)}
			nginx := startNginx(t, files, at)
			nginx.await(t, 30*time.Second, func() bool { return listens(at.listen) })
			a := wireRequest{header: g.credentials(readerToken)}.exchange(t, at.listen)
			if seen := app.requests(); a.status != c.status || (len(seen) == 1) != (c.status == 200) {
				t.Errorf("the client gets %d, want %d; the application got %v", a.status, c.status, seen)
			}
		})
	}
}
