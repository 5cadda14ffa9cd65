package access

import "net/http"

// setMessage is what the method says of a request to an MCP endpoint: GET opens a stream, DELETE ends a session, and
// POST carries any message.
func (k *knownPart) setMessage(method string) {
	kind := ""
	switch method {
	case http.MethodPost:
		k.unknown = append(k.unknown, []string{"mcp"})
		return
	case http.MethodGet:
		kind = "stream"
	case http.MethodDelete:
		kind = "session_end"
	default:
		return // is refused before a policy is asked
	}
	k.members["mcp"] = map[string]any{"kind": kind}
	k.unknown = append(k.unknown, []string{"mcp", "session"}, []string{"mcp", "protocol_version"})
}
