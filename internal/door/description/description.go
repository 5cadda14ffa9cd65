// Package description has the types by which doors describe what they serve over HTTP. The door of the native API
// makes one OpenAPI 3.1 document of the descriptions of all doors.
package description

import (
	"encoding/json"

	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// SchemaRefs is how references to the schemas of a Door begin.
const SchemaRefs = "#/components/schemas/"

// Ref is a schema that refers to one by its name.
func Ref(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: SchemaRefs + name} }

// Operation is one operation of the API.
type Operation struct {
	// Method is that of HTTP. Path is a path of echo whose parameters are written {name}; {path} alone matches the
	// rest of a path, slashes included.
	Method, Path string
	// Listeners are the names of those that serve it, such as api.
	Listeners []string
	// ID is unique. Tag is the name of a Tag.
	ID, Tag string
	Summary string
	About   string
	Needs   Need
	// Unlimited is set when its calls do not count towards the limit of a caller. Those that need no caller key never
	// do.
	Unlimited bool
	// Head is set when HEAD is served too.
	Head       bool
	Parameters []Parameter
	// Body has the bodies that are taken, by media type; nil without a body.
	Body map[string]Media
	// Answers are all answers that are not refusals of the kind of Errors.
	Answers []Answer
	// Errors are codes of the call errors of the native API, besides those that every call may get. A door with errors
	// of its own format describes them in Answers, and sets OwnErrors.
	Errors    []string
	OwnErrors bool
	// Refused may change what was described; nil changes nothing.
	Refused func(map[string]Response)
}

// Need is what a caller must show.
type Need uint8

// The needs of operations.
const (
	CallerKey Need = iota // a caller key, where the listener has any
	NoKey                 // nothing
	NoName                // nothing, and it may call the listener by any name
)

// Answer is an answer that is no error.
type Answer struct {
	Status int
	About  string
	// MediaType is empty without a body.
	MediaType string
	Schema    *jsonschema.Schema
	// CacheControl is the value of this header; empty for an answer that no cache keeps.
	CacheControl string
}

// Tag groups operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Door is what one door serves on the listeners of others: its operations, and the schemas that they refer to.
type Door struct {
	Tags       []Tag
	Operations []Operation
	Schemas    jsonschema.Properties
}

// Parameter is a Parameter Object of OpenAPI.
type Parameter struct {
	Name        string            `json:"name"`
	In          string            `json:"in"`
	Description string            `json:"description"`
	Required    bool              `json:"required"`
	Schema      jsonschema.Schema `json:"schema"`
	Example     string            `json:"example,omitempty"`
}

// Media is a Media Type Object of OpenAPI.
type Media struct {
	Schema  *jsonschema.Schema `json:"schema,omitempty"`
	Example json.RawMessage    `json:"example,omitempty"`
}

// Response is a Response Object of OpenAPI.
type Response struct {
	Ref         string            `json:"$ref,omitempty"`
	Description string            `json:"description,omitempty"`
	Headers     map[string]Header `json:"headers,omitempty"`
	Content     map[string]Media  `json:"content,omitempty"`
}

// Header is a Header Object of OpenAPI.
type Header struct {
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"`
	Schema      *jsonschema.Schema `json:"schema,omitempty"`
}

// Text describes an answer with text, or without a body.
func Text(about string) Response {
	return Response{Description: about, Content: map[string]Media{"text/plain": {}}}
}
