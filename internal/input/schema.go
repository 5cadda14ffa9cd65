package input

import (
	"reflect"
	"sync"

	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// Schema returns the JSON Schema of the document, made from its Go types. The object schemas are closed: a member that
// does not exist is an error when a policy is compiled. The text is shared, and must not be written.
func Schema() []byte { return schema() }

var schema = sync.OnceValue(func() []byte {
	types := jsonschema.Types{Use: jsonschema.Document}
	s := types.Of(reflect.TypeFor[Document]())
	s.Schema, s.ID, s.Title = jsonschema.Draft, jsonschema.ID("input"), "sidecar policy input, version 1"
	return s.Encode()
})
