//go:build real && gateways

package realtest

import (
	"path/filepath"
	"testing"
	"time"
)

// TestGatewaysThatAreBuilt sends the requests of TestGateways through gateways that take minutes to build.
func TestGatewaysThatAreBuilt(t *testing.T) {
	program := filepath.Join(t.TempDir(), "caddy")
	command(t, 20*time.Minute, filepath.Join("testdata", "caddy"), "go", "build", "-o", program,
		"github.com/caddyserver/caddy/v2/cmd/caddy")
	results := &gatewayTable{cells: map[[2]string]string{}}
	gateway{name: "Caddy 2.11", page: "caddy.md", down: 502, hung: 504,
		start: func(t *testing.T, files map[string]string, at places) *process {
			return startCaddyProgram(t, program, files, at)
		},
	}.run(t, results)
	t.Logf("what clients got, and whether the application was asked:\n%s", results)
}
