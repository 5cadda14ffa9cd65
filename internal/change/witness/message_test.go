package witness_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// endpoint makes a configuration that of an MCP server.
func endpoint(cfg *config.Config) {
	of := conf.Default[resource.Config]()
	of.Resource, of.MCP.Eras = "https://mcp.example/mcp", []string{"stateless"}
	cfg.Resources = []resource.Config{of}
}

const tools = `package authz

default decision := {"allow": false}

decision := {"allow": true} if {
	input.mcp.tool == "list_notes"
	"notes:read" in input.token.scopes
}

decision := {"allow": true} if {
	input.mcp.tool == "delete_note"
	"notes:delete" in input.token.scopes
	input.mcp.arguments.tenant == input.token.tenant
}
`

func TestAToolThatMoreTokensMayCallIsFound(t *testing.T) {
	old := written(t, map[string]string{"p.rego": tools}, endpoint)
	for _, line := range []string{"\t\"notes:delete\" in input.token.scopes\n",
		"\tinput.mcp.arguments.tenant == input.token.tenant\n", "\t\"notes:read\" in input.token.scopes\n"} {
		f := compared(t, old, written(t, map[string]string{"p.rego": strings.Replace(tools, line, "", 1)}, endpoint))
		if len(f.Findings) == 0 || f.Findings[0].Class != witness.Wider {
			t.Fatalf("without %q: %+v", line, f)
		}
		var doc struct {
			MCP     map[string]any
			Request struct{ Method, Path string }
		}
		if err := json.Unmarshal(f.Findings[0].Witness.Document, &doc); err != nil {
			t.Fatal(err)
		}
		if doc.MCP["tool"] == nil || doc.MCP["method"] != "tools/call" || doc.MCP["kind"] != "request" ||
			doc.Request.Method != "POST" || doc.Request.Path != "/mcp" {
			t.Errorf("without %q: the witness is no message: %s", line, f.Findings[0].Witness.Document)
		}
	}
}

func TestAStreamThatMoreTokensMayOpenIsFound(t *testing.T) {
	const opened = tools + "\ndecision := {\"allow\": true} if input.mcp.kind == \"stream\"\n"
	f := compared(t, written(t, map[string]string{"p.rego": tools}, endpoint),
		written(t, map[string]string{"p.rego": opened}, endpoint))
	const get = `"method":"GET","path":"/mcp"`
	if len(f.Findings) != 1 || !strings.Contains(string(f.Findings[0].Witness.Document), get) {
		t.Errorf("%+v", f.Findings)
	}
}

func TestWithoutAnEndpointNoMessageIsMadeUp(t *testing.T) {
	changed := strings.Replace(tools, "\t\"notes:delete\" in input.token.scopes\n", "", 1)
	f := compared(t, written(t, map[string]string{"p.rego": tools}), written(t, map[string]string{"p.rego": changed}))
	if len(f.Findings) != 0 {
		t.Errorf("%+v", f.Findings)
	}
}
