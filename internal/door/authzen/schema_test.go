package authzen_test

import (
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// matches reports whether a JSON text has the schema of a file.
func matches(t *testing.T, file, text string) bool {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	rs, err := rego.New(rego.Query("json.match_schema(input.value, input.schema)[0]"),
		rego.Input(map[string]any{"value": value, "schema": testkit.ReadFile(t, "testdata/"+file)}),
		rego.StrictBuiltinErrors(true)).Eval(t.Context())
	if err != nil || len(rs) != 1 {
		t.Fatalf("%d results, error %v", len(rs), err)
	}
	return rs[0].Expressions[0].Value == true
}

func TestAnswersHaveTheSchemaOfTheStandard(t *testing.T) {
	cfg := config()
	cfg.Entrypoint = "extra/decision"
	for _, a := range []*api{open(t, config()), open(t, cfg)} {
		for _, body := range []string{
			asked(asMorty, "can_read_todos", item1), asked(asMorty, "noted", item1), asked(asMorty, "closed", item1),
			asked(`{"type":"access_token","id":"another-token-0123456789"}`, "can_read_todos", item1),
		} {
			if !matches(t, "evaluation-request.schema.json", body) {
				t.Errorf("the request %s has another schema", body)
			}
			if _, got := a.ask(t, "evaluate", body); !matches(t, "evaluation-response.schema.json", got) {
				t.Errorf("the answer %s has another schema", got)
			}
		}
	}
	if matches(t, "evaluation-response.schema.json", `{"decision":"true"}`) {
		t.Error("the schema takes anything")
	}
}
