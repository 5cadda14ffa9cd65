package review_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/docs/rules"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/review"
)

func TestTextTellsTheLevelsBelowErrors(t *testing.T) {
	var b bytes.Buffer
	if err := findings().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"policies/a.rego:3:6: rego_type_error: a < b",
		"policies/a b%.rego:1:1: warning: rego_type_error: a < b",
		"policies/c.rego: note: not-formatted: a < b",
		"/etc/p.rego:2:0: note: not-formatted: a < b",
		"environment SIDECAR_LISTEN_API: configuration_error: a < b",
	}, "\n") + "\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestJSONHasEveryFindingWithItsPage(t *testing.T) {
	r := findings()
	r.Issuers =
		[]review.Issuer{{Name: "a", Findings: []doctor.Finding{{Check: "keys", Level: doctor.Good, Says: "fine"}}}}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	problems := got["problems"].([]any)
	first, err := json.Marshal(problems[0])
	if err != nil || len(problems) != 5 || string(first) != `{"code":"rego_type_error","col":6,"file":`+
		`"policies/a.rego","level":"error","message":"a \u003c b","page":"docs/rules/rego_type_error.md","row":3}` {
		t.Errorf("got %s of %d, %v", first, len(problems), err)
	}
	if silenced := got["silenced"].([]any); len(silenced) != 1 ||
		silenced[0].(map[string]any)["reason"] != "as logged" {
		t.Errorf("got %v", silenced)
	}
	if entrypoints, ok := got["summary"].(map[string]any)["entrypoints"].([]any); !ok || len(entrypoints) != 0 {
		t.Errorf("got %v", got["summary"])
	}
	if issuers := got["issuers"].([]any); len(issuers) != 1 {
		t.Errorf("got %v", issuers)
	}
}

// TestEveryCodeHasAPage names the codes that loading, tests, suites and reviews give.
func TestEveryCodeHasAPage(t *testing.T) {
	for _, code := range strings.Fields(`
		rego_parse_error rego_type_error rego_unsafe_var_error rego_compile_error rego_recursion_error reference_error
		result_error eval_conflict_error policy_error entrypoint_error metadata_error directory_error read_error
		limit_error name_error changing_error data_error manifest_error conflict_error roots_error compile_timeout
		compile_busy gate_error suite_error input_misfit configuration_error doubtful-configuration not-formatted
		unread-data no-routes unset-input closed-anonymous-route regal doubtful-route`) {
		page, ok := rules.Page(code)
		if !ok || !strings.HasPrefix(page, "# ") || !strings.Contains(page, "`"+code+"`") {
			t.Errorf("%s has the page %q", code, page)
		}
	}
}
