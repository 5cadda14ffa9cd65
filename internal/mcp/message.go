package mcp

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// message is a JSON-RPC message (JSON-RPC 2.0 sections 4 and 5) whose shape was checked.
type message struct {
	kind   string
	id     jsontext.Value
	method string
	// params has the members of params by name.
	params map[string]jsontext.Value
}

// parse reads one JSON-RPC message that every reader understands alike.
func parse(body string) (*message, error) {
	raw := []byte(body)
	if first := bytes.TrimLeft(raw, " \t\r\n"); len(first) > 0 && first[0] == '[' {
		return nil, refusal(400, invalidRequest, nil, "batches are refused: send one message a request")
	}
	if fault := jsonbound.Check(raw); fault != nil {
		return nil, unparsable("a value " + fault.Cause)
	}
	if why := ambiguity(raw); why != "" {
		return nil, unparsable(why)
	}
	top, err := members(raw)
	if err != nil {
		return nil, unparsable("the message is not a JSON object")
	}
	m := &message{}
	if id, ok := top["id"]; ok {
		if !isID(id) {
			return nil, invalid(nil, "the id is neither a string nor an integer")
		}
		m.id = id
	}
	if name := foldsTo(top, "jsonrpc", "id", "method", "params", "result", "error"); name {
		return m, invalid(m.id, "a member differs from one of JSON-RPC in case alone")
	}
	return m, m.setShape(top)
}

func (m *message) setShape(top map[string]jsontext.Value) error {
	if version, ok := text(top["jsonrpc"]); !ok || version != "2.0" {
		return invalid(m.id, `jsonrpc is not "2.0"`)
	}
	_, hasMethod := top["method"]
	_, hasResult := top["result"]
	_, hasError := top["error"]
	_, hasParams := top["params"]
	if !hasMethod {
		m.kind = response
		if m.id == nil || hasResult == hasError || hasParams {
			return invalid(m.id, "the message is no request, notification or response")
		}
		return nil
	}
	if hasResult || hasError {
		return invalid(m.id, "the message has a method beside a result or an error")
	}
	var ok bool
	if m.method, ok = text(top["method"]); !ok || m.method == "" {
		return invalid(m.id, "the method is not a string, or empty")
	}
	m.kind = request
	if m.id == nil {
		m.kind = notification
	}
	if strings.HasPrefix(m.method, "notifications/") != (m.kind == notification) {
		return invalid(m.id, "notifications alone have no id")
	}
	if hasParams {
		var err error
		if m.params, err = members(top["params"]); err != nil {
			return invalid(m.id, "params is not an object")
		}
	}
	return nil
}

// isID reports whether a JSON value may identify a request: a string or an integer.
func isID(v jsontext.Value) bool {
	return v.Kind() == '"' || v.Kind() == '0' && !bytes.ContainsAny(v, ".eE")
}

// text is the string that a JSON value is.
func text(v jsontext.Value) (string, bool) {
	if len(v) == 0 || v.Kind() != '"' {
		return "", false
	}
	s, err := jsontext.AppendUnquote(nil, v)
	return string(s), err == nil
}
