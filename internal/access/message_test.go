package access_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// notes is the configuration of the example of an MCP server.
func notes() *config.Config {
	cfg := config.Default()
	cfg.Policies.Paths, cfg.Policies.Ignore = []string{"bundles/mcp"}, []string{"sidecar.yaml"}
	cfg.Decision.Entrypoint = "notes/decision"
	endpoint := conf.Default[resource.Config]()
	endpoint.Resource = "https://mcp.example/mcp"
	endpoint.MCP.Eras = []string{"sessions", "stateless"}
	cfg.Resources = []resource.Config{endpoint}
	return cfg
}

func TestWhatACallOfAToolNeedsIsTold(t *testing.T) {
	t.Chdir("../..")
	a := analyst(t, notes())
	const call = "  mcp.kind is request\n  mcp.method is tools/call\n  mcp.tool is "
	for request, want := range map[string][]string{
		"POST /mcp": {"  mcp.kind is request\n  mcp.method is one of initialize, ",
			"  scopes contains notes:read\n" + call + "list_notes\n",
			"  scopes contains notes:delete\n  mcp.arguments.tenant = tenant; not empty\n" + call + "delete_note\n"},
		"POST https://mcp.example/mcp":   {call + "add_note\n"},
		"GET /mcp":                       {"GET /mcp is allowed for a token with all of\n  whatever data.notes.identity says\nthe "},
		"DELETE /mcp":                    {"DELETE /mcp is allowed for a token"},
		"PUT /mcp":                       {"PUT /mcp is allowed for no token"},
		"POST https://other.example/mcp": {"is allowed for no token"},
		"POST /mcp/x":                    {"is allowed for no token"},
	} {
		report := requires(t, a, request)
		got := text(t, report, "")
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: no %q in\n%s", request, part, got)
			}
		}
		for _, alternative := range report.Alternatives {
			if !alternative.Verified {
				t.Errorf("%s: not verified: %+v", request, alternative)
			}
		}
	}
}
