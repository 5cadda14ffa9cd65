//go:build real

package realtest

import (
	"strings"
	"testing"
)

// TestEnvoyAsksOverHTTP2WithoutTLS changes the files for checks over HTTP as the page says.
func TestEnvoyAsksOverHTTP2WithoutTLS(t *testing.T) {
	t.Parallel()
	files := pageFiles(t, "envoy.md")
	const cluster = "  - name: sidecar\n    connect_timeout: 1s\n"
	gateway := strings.Replace(files["envoy-http.yaml"], cluster, cluster+files["http2.yaml"], 1)
	if gateway == files["envoy-http.yaml"] {
		t.Fatal("the file of the page has no cluster to change")
	}
	w := startEnvoyWorld(t, gateway, files["sidecar-http.yaml"])
	if a, seen := w.ask(t, wireRequest{}); a.status != 200 || len(seen) != 1 || seen[0].value("X-Subject") != "alice" {
		t.Errorf("the client gets %d %s, the application %v", a.status, a.body, seen)
	}
	long := strings.Repeat("a", 8<<10)
	for what, q := range map[string]wireRequest{
		"a path that is forbidden": {target: "/admin"},
		"two slashes":              {target: "//admin"},
		"an escaped dot":           {target: "/a/%2e%2e/admin"},
		"no escape":                {target: "/admin%zz"},
		"OPTIONS of all":           {method: "OPTIONS", target: "*"},
		"the path of gRPC":         {method: "POST", target: "/envoy.service.auth.v3.Authorization/Check"},
		"another method":           {method: "PRI"},
		"long headers": {target: "/admin", header: []field{{"X-Tenant", long}, {"User-Agent", long}, {"Accept", long},
			{"Origin", long}, {"Content-Type", long}}},
	} {
		a, seen := w.ask(t, q)
		if a.status < 400 || len(seen) > 0 {
			t.Errorf("%s: the client gets %d, the application %v", what, a.status, seen)
		}
	}
	if a, seen := w.ask(t, wireRequest{}); a.status != 200 || len(seen) != 1 {
		t.Errorf("in the end the client gets %d %s, the application %v", a.status, a.body, seen)
	}
}
