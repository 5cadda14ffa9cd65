package native_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
)

type openAPI struct {
	OpenAPI    string
	Paths      map[string]map[string]json.RawMessage
	Components struct{ Schemas map[string]schema }
}

// schema is as much of a schema as the answers of this API need.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Enum       []string
	Properties map[string]schema
	Required   []string
	Additional json.RawMessage `json:"additionalProperties"`
	Items      *schema
}

// TestTheAnswersHaveTheMembersThatAreDescribed is about the answers whose schemas are not made from Go types.
func TestTheAnswersHaveTheMembersThatAreDescribed(t *testing.T) {
	schemas := decode[openAPI](t, string(native.Description(nil))).Components.Schemas
	s := serve(t, listener(), native.Deps{})
	for _, c := range []struct{ path, body, schema string }{
		{"/v1/decisions", question, "Decision"},
		{"/v1/decisions/authz/no", question, "Decision"},
		{"/v1/decisions", `{"request":{"method":"GET","url":"/%"},"token":"a b"}`, "Decision"},
		{"/v1/decisions/batch", `{"items":[` + question + `]}`, "Decisions"},
		{"/v1/decisions", `{}`, "Error"},
	} {
		_, body := s.post(t, c.path, c.body)
		for _, fault := range faults(schemas, schemas[c.schema], decode[any](t, body), c.schema) {
			t.Errorf("%s %s answered %s: %s", c.path, c.body, body, fault)
		}
	}
}

// faults lists where v has not the members of s, or others.
func faults(all map[string]schema, s schema, v any, at string) []string {
	if _, name, ok := strings.Cut(s.Ref, "/schemas/"); ok {
		s = all[name]
	}
	var found []string
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				found = append(found, at+" has no "+name)
			}
		}
		for name, inner := range v {
			if m, ok := s.Properties[name]; ok {
				found = append(found, faults(all, m, inner, at+"/"+name)...)
			} else if s.Additional == nil {
				found = append(found, at+"/"+name+" is not described")
			}
		}
	case []any:
		for _, item := range v {
			found = append(found, faults(all, *s.Items, item, at+"/-")...)
		}
	case string:
		if s.Type != "string" || s.Enum != nil && !slices.Contains(s.Enum, v) {
			found = append(found, at+" is another text")
		}
	case bool:
		if s.Type != "boolean" {
			found = append(found, at+" is true or false")
		}
	case float64:
		if s.Type != "integer" {
			found = append(found, at+" is a number")
		}
	}
	return found
}

func TestTheExamplesAreCalls(t *testing.T) {
	var d struct {
		Paths map[string]struct {
			Post struct {
				Body struct {
					Content map[string]struct{ Example json.RawMessage }
				} `json:"requestBody"`
			}
		}
	}
	if err := json.Unmarshal(native.Description(nil), &d); err != nil {
		t.Fatal(err)
	}
	s := serve(t, listener(), native.Deps{})
	for _, path := range []string{"/v1/decisions", "/v1/decisions/batch"} {
		example := string(d.Paths[path].Post.Body.Content["application/json"].Example)
		if resp, body := s.post(t, path, example); resp.StatusCode != http.StatusOK {
			t.Errorf("%s is answered %s", example, body)
		}
	}
}
