//go:build real

package realtest

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestTheClientOfOPAForPython asks the sidecar by opa-python-client, with the policy of its README.
func TestTheClientOfOPAForPython(t *testing.T) {
	policies := t.TempDir()
	testkit.WriteFiles(t, policies, map[string]string{
		"play/play.rego": "package play\n\ndefault hello := false\n\nhello if {\n\tm := input.message\n" +
			"\tm == \"world\"\n}\n",
		"play/users/data.json": `["alice", "bob"]`,
	})
	sc := startCallers(t, policies, "{enabled: true, packages: [play], policies: true, query: true}")
	got := command(t, 5*time.Minute, "", filepath.Join(pythonEnvironment(t, "opa-python"), "bin", "python"),
		absolute(t, "testdata/opa-python/client.py"), sc.api)
	sc.answers.WriteString(got)
	for i, want := range []string{
		"check_connection True",
		"check_health True",
		"check_health True",
		"get_policies_list ['",
		"query_rule {'decision_id': '",
		"query_rule {'decision_id': '",
		"bulk_query_rule [True, False]",
		"ad_hoc_query {'decision_id': '",
		"get_data {'decision_id': '",
		"update_policy_from_string ",
		"update_or_create_data ",
		"delete_data ",
	} {
		line := strings.Split(got, "\n")[i]
		if !strings.HasPrefix(line, want) {
			t.Errorf("line %d: %s, want %s", i, line, want)
		}
	}
}
