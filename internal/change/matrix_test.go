package change

import (
	"strings"
	"testing"
)

// TestAccess_AMethodThatOneVersionNamesIsNoDifference: the rows of policies without routes are those that they name.
func TestAccess_AMethodThatOneVersionNamesIsNoDifference(t *testing.T) {
	old := `package authz

# METADATA
# entrypoint: true
decision if needed[input.request.method] in input.token.scopes

default decision := false

needed := {"GET": "orders:read", "POST": "orders:write"}
`
	now := old + "\ndecision if {\n\tinput.request.method == \"GET\"\n\t\"auditor\" in input.token.roles\n}\n"
	c := changed(t, map[string]string{"policies/a.rego": old}, map[string]string{"policies/a.rego": now},
		Options{Depth: Full})
	if c.Outcome != Wider {
		t.Errorf("%s: %q", c.Outcome, c.titles())
	}
	for _, title := range c.titles(KindWider, KindNarrower) {
		if !strings.HasPrefix(title, "GET ") {
			t.Errorf("false: %s", title)
		}
	}
	for _, r := range c.Access.Rows {
		if r.Method != "GET" {
			t.Errorf("false: %+v", r)
		}
	}
}
