package jsonschema_test

import (
	"reflect"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

func TestMembersStandInTheirOrderAndEmptyOnesAreLeftOut(t *testing.T) {
	s := jsonschema.Schema{
		Type: "object", Additional: false, Required: []string{"b"},
		Properties: jsonschema.Properties{
			{Name: "b", Schema: jsonschema.Schema{Description: "1 < 2", Type: "string"}},
			{Name: "a", Schema: jsonschema.Schema{Type: "array",
				Items: &jsonschema.Schema{Type: "integer", Minimum: "0"}}},
		},
	}
	want := `{
  "type": "object",
  "properties": {
    "b": {
      "description": "1 < 2",
      "type": "string"
    },
    "a": {
      "type": "array",
      "items": {
        "type": "integer",
        "minimum": 0
      }
    }
  },
  "required": [
    "b"
  ],
  "additionalProperties": false
}
`
	if got := string(s.Encode()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestANumberWithAFractionIsANumber(t *testing.T) {
	var types jsonschema.Types
	if got := types.Of(reflect.TypeFor[float64]()).Type; got != "number" {
		t.Errorf("the type is %q", got)
	}
}
