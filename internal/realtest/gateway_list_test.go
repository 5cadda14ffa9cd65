//go:build real

package realtest

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// gateways are those that every run tests.
func gateways() []gateway {
	return []gateway{
		{name: "nginx", page: "nginx.md", start: startNginx, down: 503, hung: 503},
		{name: "ingress-nginx", page: "ingress-nginx.md", start: startIngressNginx, down: 500, hung: 500,
			loses: statusesOfIngressNginx, noMetadata: true},
		{name: "Caddy", page: "caddy.md", start: startCaddy, down: 502, hung: 504},
		{name: "Envoy, gRPC", page: "envoy.md", start: startEnvoy, down: 503, hung: 503},
		{name: "Envoy, HTTP", page: "envoy.md", start: startEnvoyHTTP, sidecar: "sidecar-http.yaml",
			down: 503, hung: 503, loses: statusesOfEnvoyHTTP},
		{name: "HAProxy", page: "haproxy.md", start: startHAProxy, down: 503, hung: 504},
	}
}

// openFolder is a new folder that every user may enter, unlike that of t, with its parents.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sidecar-gateway-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(filepath.Clean(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// statusesOfIngressNginx are 401 with its challenge and 403 without one. All other refusals become 403.
func statusesOfIngressNginx(want gatewayExpectation) gatewayExpectation {
	if want.passes() || want.status == http.StatusUnauthorized {
		return want
	}
	return gatewayExpectation{status: http.StatusForbidden, either: want.either}
}

// statusesOfEnvoyHTTP are all below 500: an outage is 429.
func statusesOfEnvoyHTTP(want gatewayExpectation) gatewayExpectation {
	if want.status == http.StatusServiceUnavailable {
		want.status = http.StatusTooManyRequests
	}
	return want
}
