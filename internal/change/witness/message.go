package witness

import (
	"net/http"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// endpoints are those of MCP that a configuration has.
type endpoints struct {
	all *resource.Set
	// identifiers and paths are in the order of the configuration.
	identifiers []string
	paths       []string
}

func newEndpoints(cfg *config.Config) endpoints {
	out := endpoints{all: resource.NewSet(cfg.Resources)}
	for _, r := range cfg.Resources {
		if r.MCP.On() {
			_, rest, _ := strings.Cut(r.Resource, "://")
			_, path, _ := strings.Cut(rest, "/")
			path, _, _ = strings.Cut(path, "?")
			out.identifiers, out.paths = append(out.identifiers, r.Resource), append(out.paths, "/"+path)
		}
	}
	return out
}

// kinds are the kinds of message that only requests with a method have.
var kinds = map[string]string{http.MethodGet: "stream", http.MethodDelete: "session_end", http.MethodPost: ""}

// kind is what the method says of the message of a request: empty for any. No is set where there is no message.
func (e endpoints) kind(request map[string]any) (kind string, no bool) {
	path, _ := request["path"].(string)
	method, _ := request["method"].(string)
	kind, ok := kinds[method]
	return kind, !ok || !e.all.MayBeMessage("", path)
}

// membersOf are the members of input.mcp that only some methods have, and the method that a made-up message has with
// each.
var membersOf = map[string]string{"tool": "tools/call", "prompt": "prompts/get", "resource": "resources/read",
	"reference": "completion/complete", "task": "tasks/get", "subscriptions": "subscriptions/listen"}

// complete is doc whose message has what each such message has; nil where the sidecar makes none such.
func (e endpoints) complete(doc document) document {
	message, ok := doc["mcp"].(map[string]any)
	if !ok {
		return doc
	}
	request, _ := doc["request"].(map[string]any)
	want, no := e.kind(request)
	if no {
		return nil
	}
	add := func(name, v string) {
		if message[name] == nil {
			doc, _ = with(doc, []any{"mcp", name}, v).(map[string]any)
			message, _ = doc["mcp"].(map[string]any)
		}
	}
	if want != "" {
		add("kind", want)
		return only(doc, message["kind"] == want && message["method"] == nil)
	}
	add("kind", "request")
	possible := message["kind"] != "stream" && message["kind"] != "session_end"
	for name, method := range membersOf {
		if message[name] != nil {
			add("method", method)
			possible = possible && message["kind"] == "request" && (name != "tool" || message["method"] == method)
		}
	}
	return only(doc, possible)
}

func only(doc document, possible bool) document {
	if possible {
		return doc
	}
	return nil
}

// isComplete reports whether the sidecar makes the message of doc.
func (e endpoints) isComplete(doc document) bool { return textOf(e.complete(doc)) == textOf(doc) }
