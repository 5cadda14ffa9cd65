package sarif_test

import (
	"bytes"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/sarif"
	"github.com/authz-sidecar/sidecar/internal/testkit/sariflog"
)

func TestALogWithAndWithoutEveryPartIsValid(t *testing.T) {
	place := sarif.Place{File: "policies/a b%.rego", Row: 3, Col: 6}
	whole := sarif.Rule{ID: "wider", Title: "a request is newly allowed", Page: "# Wider",
		URI: "https://sidecar.example/wider"}
	for name, findings := range map[string][]sarif.Finding{
		"nothing": nil,
		"least":   {{Rule: sarif.Rule{ID: "wider"}, Level: "note", Message: "m"}},
		"all": {{Rule: whole, Level: "error", Message: "a < b\x00\u202e</script>", Fingerprint: "wider-1",
			Places:     []sarif.Place{place, {File: "/etc/p.rego", Row: 2}, {File: "c.rego"}},
			Suppressed: &sarif.Suppression{Kind: "external", Justification: "reviewed"}}},
	} {
		var b bytes.Buffer
		if err := sarif.Write(&b, "1.0.0", findings); err != nil {
			t.Fatal(err)
		}
		if broken := sariflog.Invalid(t, b.Bytes()); len(broken) > 0 {
			t.Errorf("%s: %v", name, broken)
		}
	}
	if len(sariflog.Invalid(t, []byte(`{"version": "2.1.0", "runs": [{"results": []}]}`))) == 0 {
		t.Error("a run without a tool is valid")
	}
}
