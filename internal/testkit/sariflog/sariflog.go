// Package sariflog validates logs of SARIF 2.1.0 in tests, against the JSON Schema of the standard.
package sariflog

import (
	_ "embed"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"
)

//go:embed sarif-schema-2.1.0.json
var schema string

// Invalid is what is wrong with a log by the schema, which OPA validates.
func Invalid(t testing.TB, log []byte) []any {
	t.Helper()
	query := rego.New(rego.Query("[_, broken] = json.match_schema(input.log, input.schema)"),
		rego.Input(map[string]any{"log": string(log), "schema": schema}), rego.StrictBuiltinErrors(true))
	results, err := query.Eval(t.Context())
	if err != nil || len(results) != 1 {
		t.Fatalf("validate: %v, %v", results, err)
	}
	return results[0].Bindings["broken"].([]any)
}
