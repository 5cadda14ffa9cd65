package dialect

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// holds checks what is true of every answer that is read, whatever the body: it looks at the body with another JSON
// library than the one under test.
func holds(t *testing.T, d dialect, body string, f Fact) {
	t.Helper()
	c := f.Claims
	var plain map[string]json.RawMessage
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &plain); err != nil {
		t.Fatalf("%q was read and is no object: %v", body, err)
	}
	says := string(plain["active"])
	byStatus := len(d.signs) > 0 && plain["active"] == nil && plain[d.signs[0]] != nil
	if c.Active && says != "true" && !byStatus {
		t.Fatalf("%q is active", body)
	}
	if f.Keep == Inactive && says != "false" || f.Keep == Active && !c.Active {
		t.Fatalf("%q is kept as %d", body, f.Keep)
	}
	if !c.Active {
		if c.Inactive.Text == "" || c.Raw != nil {
			t.Fatalf("%q is not active: %+v", body, c)
		}
		return
	}
	for _, s := range [][]string{c.Scopes, c.Audiences, c.Roles, c.Groups, c.Permissions, c.Auth.AMR} {
		if !slices.IsSorted(s) || len(slices.Compact(slices.Clone(s))) != len(s) || slices.Contains(s, "") {
			t.Fatalf("%q gives no set: %q", body, s)
		}
	}
	if !jsontext.Value(c.Raw).IsValid() {
		t.Fatalf("%q gives raw %q", body, c.Raw)
	}
	exp, said := plain[d.expires]
	if (said && string(exp) != "null" && !never(jsontext.Value(exp))) != (c.ExpiresAt != 0) {
		t.Fatalf("%q gives exp %s", body, strconv.FormatInt(int64(c.ExpiresAt), 10))
	}
	// what says who it is, is what was said
	for name, got := range map[string]string{"jti": c.ID, "sid": c.SessionID} {
		want := string(plain[name])
		if want == "null" {
			want = ""
		}
		_ = json.Unmarshal(plain[name], &want) // a number stays as it is written
		if got != want {
			t.Fatalf("%q gives %s %q", body, name, got)
		}
	}
	if cnf, said := plain["cnf"]; said && string(cnf) != "null" && !c.Confirmation.Bound() {
		t.Fatalf("%q gives an unbound token", body)
	}
}
