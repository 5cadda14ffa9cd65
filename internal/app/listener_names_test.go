package app

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// forNginx is a listener for a gateway.
func forNginx(name string) forwardauth.Config {
	c := conf.Default[forwardauth.Config]()
	c.Name, c.Profile, c.Address = name, forwardauth.Nginx, "127.0.0.1:0"
	return c
}

func TestAListenerOfAGatewayIsCalledByItsName(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Listen.ForwardAuth = []forwardauth.Config{forNginx("blue"), forNginx("green")}
	})
	address := w.app.Addr("forward_auth.green").String()
	testkit.Eventually(t, "the log names the listener", func() bool {
		return strings.Contains(w.logger.String(), "forward_auth.green="+address)
	})
	if l := w.status(t).Listeners; l[len(l)-1].Name != "forward_auth.green" || l[len(l)-1].Address != address {
		t.Errorf("the status tells %+v", l)
	}
	const series = `sidecar_listen_limited_calls_total{caller="address",listener="forward_auth.green"} 0`
	if page, err := w.send(t.Context(), "GET", w.admin+"/metrics", ""); err != nil || !strings.Contains(page, series) {
		t.Errorf("%v, the page has no %s", err, series)
	}
}

func TestAFaultOfAListenerOfAGatewayIsToldByItsPlaceInTheConfiguration(t *testing.T) {
	w := &world{}
	w.cfg = configuration(t, "http://127.0.0.1:1")
	broken := forNginx("green")
	broken.BearerKeysFile = testkit.TempFile(t, "keys", "short\n")
	w.cfg.Listen.ForwardAuth = []forwardauth.Config{forNginx("blue"), broken}
	const want = "listen.forward_auth[1].bearer_keys_file: "
	if _, err := New(t.Context(), w.cfg, w.deps()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("start: %v", err)
	}
}
