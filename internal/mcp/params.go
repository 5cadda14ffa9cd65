package mcp

import (
	"github.com/go-json-experiment/json/jsontext"
)

// Members of params._meta in MCP 2026-07-28.
const (
	metaVersion = "io.modelcontextprotocol/protocolVersion"
	metaClient  = "io.modelcontextprotocol/clientInfo"
)

// knownParams are the members of params that are read here, or by servers before they act.
var knownParams = []string{
	"name", "uri", "arguments", "argument", "ref", "taskId", "_meta", "protocolVersion", "clientInfo", "capabilities",
	"inputResponses", "requestState", "requestId", "level", "cursor", "task", "notifications",
}

// readMessage fills in the view of a message.
func (v *View) readMessage(m *message, modern bool) error {
	v.Kind, v.Method = m.kind, m.method
	if m.kind == response {
		if modern {
			return invalid(m.id, "this protocol version has no responses of clients")
		}
		return nil
	}
	if foldsTo(m.params, knownParams...) {
		return invalid(m.id, "a member of params differs from one of the protocol in case alone")
	}
	if err := v.readSubject(m); err != nil {
		return err
	}
	_, answers := m.params["inputResponses"]
	_, state := m.params["requestState"]
	v.Retry = answers || state
	return v.readMeta(m, modern)
}

// readSubject reads what the method is about.
func (v *View) readSubject(m *message) error {
	switch m.method {
	case "tools/call":
		return firstOf(m.text("name", &v.Tool), m.object("arguments", &v.Arguments))
	case "prompts/get":
		return firstOf(m.text("name", &v.Prompt), m.object("arguments", &v.Arguments))
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		return m.text("uri", &v.Resource)
	case "completion/complete":
		return v.readReference(m)
	case "tasks/get", "tasks/result", "tasks/cancel", "tasks/update":
		return m.text("taskId", &v.Task)
	case "subscriptions/listen":
		return m.object("notifications", &v.Subscriptions)
	case "initialize":
		return v.readClient(m, m.params["clientInfo"])
	}
	return nil
}

func (v *View) readReference(m *message) error {
	ref, err := members(m.params["ref"])
	if err != nil {
		return invalid(m.id, "ref is not an object")
	}
	out, inRef := &Reference{}, &message{id: m.id, params: ref}
	if foldsTo(ref, "type", "name", "uri") {
		return invalid(m.id, "a member of ref differs from one of the protocol in case alone")
	}
	if err := inRef.text("type", &out.Type); err != nil {
		return err
	}
	switch out.Type {
	case "ref/prompt":
		err = inRef.text("name", &out.Name)
	case "ref/resource":
		err = inRef.text("uri", &out.URI)
	default:
		err = invalid(m.id, "the type of ref is neither ref/prompt nor ref/resource")
	}
	v.Reference = out
	return err
}

// readMeta reads params._meta: what a client says of itself, and in the stateless era the version.
func (v *View) readMeta(m *message, modern bool) error {
	raw, ok := m.params["_meta"]
	if !ok {
		return nil
	}
	meta, err := members(raw)
	if err != nil {
		return invalid(m.id, "_meta is not an object")
	}
	if foldsTo(meta, metaVersion, metaClient) {
		return invalid(m.id, "a member of _meta differs from one of the protocol in case alone")
	}
	if version, ok := meta[metaVersion]; ok {
		if said, isText := text(version); !isText || said != v.ProtocolVersion {
			return mismatch(m.id, "MCP-Protocol-Version differs from the version in _meta")
		}
	}
	if client, ok := meta[metaClient]; ok && modern {
		return v.readClient(m, client)
	}
	return nil
}

// readClient reads what a client says of itself, as far as it says it.
func (v *View) readClient(m *message, raw jsontext.Value) error {
	if raw == nil {
		return nil
	}
	info, err := members(raw)
	if err != nil {
		return invalid(m.id, "clientInfo is not an object")
	}
	c := &Client{}
	c.Name, _ = text(info["name"])
	c.Version, _ = text(info["version"])
	if c.Name != "" {
		v.Client = c
	}
	return nil
}

// text reads a member of params that must be a string, and not empty.
func (m *message) text(name string, into *string) error {
	s, ok := text(m.params[name])
	if !ok || s == "" {
		return invalid(m.id, name+" is missing, empty or no string")
	}
	*into = s
	return nil
}

// object reads a member of params that may be missing, and must be an object.
func (m *message) object(name string, into *jsontext.Value) error {
	raw, ok := m.params[name]
	if !ok {
		raw = jsontext.Value("{}")
	}
	if raw.Kind() != '{' {
		return invalid(m.id, name+" is not an object")
	}
	*into = raw
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
