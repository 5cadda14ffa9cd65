// Package mcp reads one message of the Model Context Protocol (2025-06-18 to 2026-07-28, Streamable HTTP) into what
// policies see of it.
//
// A message that two readers could understand differently is refused: what a policy decides about is what every
// server behind it executes.
package mcp

import "github.com/go-json-experiment/json/jsontext"

// View is a message as policies see it. A member that does not apply to the message is absent.
type View struct {
	Kind            string         `json:"kind" enum:"request|notification|response|stream|session_end" doc:"stream is a GET, session_end a DELETE."`
	Method          string         `json:"method,omitzero" doc:"JSON-RPC method, such as tools/call."`
	Tool            string         `json:"tool,omitzero" doc:"Name of the tool that is called."`
	Arguments       jsontext.Value `json:"arguments,omitzero" schema:"object" doc:"Arguments of a tool or prompt; {} when the message has none. Absent when the message was read from headers."`
	Prompt          string         `json:"prompt,omitzero" doc:"Name of the prompt."`
	Resource        string         `json:"resource,omitzero" doc:"URI of the resource that is read or subscribed to."`
	Reference       *Reference     `json:"reference,omitzero" doc:"What is completed."`
	Task            string         `json:"task,omitzero" doc:"Identifier of the task."`
	Subscriptions   jsontext.Value `json:"subscriptions,omitzero" schema:"object" doc:"Filter of subscriptions/listen."`
	ProtocolVersion string         `json:"protocol_version,omitzero" doc:"MCP-Protocol-Version; absent when the request has none."`
	Session         string         `json:"session,omitzero" doc:"Mcp-Session-Id, as the client says; no proof of anything."`
	Source          string         `json:"source,omitzero" enum:"body|headers" doc:"What the message was read from."`
	Parameters      jsontext.Value `json:"parameters,omitzero" schema:"object" doc:"Mcp-Param-* headers, decoded, by lower-case name; only when the message was read from headers."`
	Client          *Client        `json:"client,omitzero" doc:"What the client says it is."`
	Retry           bool           `json:"retry,omitzero" doc:"The message answers a question of the server (inputResponses or requestState)."`

	// ID is the JSON of the message's identifier, or nil.
	ID jsontext.Value `json:"-"`
}

// Reference is what completion/complete is about.
type Reference struct {
	Type string `json:"type" doc:"ref/prompt or ref/resource."`
	Name string `json:"name,omitzero" doc:"Name of the prompt."`
	URI  string `json:"uri,omitzero" doc:"URI, or URI template, of the resource."`
}

// Client is what a client says it is. It is not verified.
type Client struct {
	Name    string `json:"name" doc:"Name of the program."`
	Version string `json:"version,omitzero" doc:"Version of the program."`
}

// The kinds of View.
const (
	request      = "request"
	notification = "notification"
	response     = "response"
	stream       = "stream"
	sessionEnd   = "session_end"
)

// Objects are the members of v that are JSON objects of the client's.
func (v *View) Objects() []*jsontext.Value {
	return []*jsontext.Value{&v.Arguments, &v.Subscriptions, &v.Parameters}
}

// Size is how many bytes v refers to.
func (v *View) Size() int {
	n := len(v.Method) + len(v.Tool) + len(v.Prompt) + len(v.Resource) + len(v.Task) + len(v.Session)
	for _, object := range v.Objects() {
		n += len(*object)
	}
	if v.Reference != nil {
		n += len(v.Reference.Name) + len(v.Reference.URI)
	}
	if v.Client != nil {
		n += len(v.Client.Name) + len(v.Client.Version)
	}
	return n
}
