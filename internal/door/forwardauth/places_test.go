package forwardauth

import (
	"net/http"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door"
)

func TestACheckOfEachProfileIsKnownAtOtherListeners(t *testing.T) {
	for _, p := range []Profile{Nginx, IngressNginx, Traefik, Caddy, HAProxy, Envoy} {
		check := http.Header{}
		for _, name := range p.places().names() {
			check.Set(name, "/")
		}
		if door.GatewayMark(check) == "" {
			t.Errorf("%s: the api listener takes its check for another call", p)
		}
	}
}
