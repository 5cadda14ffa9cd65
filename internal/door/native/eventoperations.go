package native

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// eventOperations are what authorization servers call, where the configuration has events. What they answer is
// described by the standards that they are of.
func eventOperations() []operation {
	name := parameter{Name: "name", In: "path", Required: true, Example: "acme",
		Description: "The configured name of the issuer.", Schema: jsonschema.Schema{Type: "string", MinLength: 1}}
	text := &jsonschema.Schema{Type: "string"}
	form := &jsonschema.Schema{Type: "object", Required: []string{"logout_token"},
		Properties: jsonschema.Properties{{Name: "logout_token", Schema: *text}}}
	all := []operation{{
		method: http.MethodPost, path: "/v1/events/{name}/backchannel-logout", id: "backchannelLogout",
		summary:    "Receive a logout token (OpenID Connect Back-Channel Logout 1.0)",
		parameters: []parameter{name},
		body:       map[string]media{"application/x-www-form-urlencoded": {Schema: form}},
		answers:    []answerOf{{http.StatusOK, "The logout is in force.", "", nil}},
		refused:    receiverErrors("error", "error_description"),
	}, {
		method: http.MethodPost, path: "/v1/events/{name}/shared-signals", id: "sharedSignals",
		summary:    "Receive a security event token (RFC 8935)",
		parameters: []parameter{name},
		body:       map[string]media{"application/secevent+jwt": {Schema: text}},
		answers:    []answerOf{{http.StatusAccepted, "The event was taken.", "", nil}},
		refused:    receiverErrors("err", "description"),
	}, {
		method: http.MethodPost, path: "/v1/events/{name}/keycloak/{action}", id: "keycloak",
		summary: "Receive what Keycloak posts to an admin URL",
		parameters: []parameter{name, {Name: "action", In: "path", Required: true,
			Description: "What Keycloak asks for.",
			Schema: jsonschema.Schema{Type: "string",
				Enum: []string{"k_logout", "k_push_not_before", "k_test_available"}}}},
		body:    map[string]media{"text/plain": {Schema: text}},
		answers: []answerOf{{http.StatusNoContent, "The message is in force.", "", nil}},
		refused: func(rs map[string]response) {
			receiverErrors("", "")(rs)
			rs["400"] = plain("The message is not valid, or the HTTP request is not.")
		},
	}}
	for i := range all {
		all[i].listeners, all[i].tag, all[i].needs = []string{"admin"}, "events", noName
		all[i].about = "It needs no caller key: a message counts only when a configured server has signed it."
	}
	return all
}

// receiverErrors are the answers of a receiver that takes nothing. code and about name the members of its JSON.
func receiverErrors(code, about string) func(map[string]response) {
	return func(rs map[string]response) {
		text := jsonschema.Schema{Type: "string"}
		schema := &jsonschema.Schema{Type: "object", Required: []string{code}, Properties: jsonschema.Properties{
			{Name: code, Schema: text}, {Name: about, Schema: text}}}
		rs["400"] = response{Description: "The message is not valid.", Content: map[string]media{
			"application/json": {Schema: schema}, "text/plain": {}}}
		rs["404"] = response{Description: "No such receiver is configured.", Content: map[string]media{
			"text/plain": {}, "application/json": {Schema: ref("Error")}}}
		rs["503"] = plain("The message could not be judged or put in force. It may be sent again.")
	}
}

// plain describes an answer with text, or without a body.
func plain(about string) response {
	return response{Description: about, Content: map[string]media{"text/plain": {}}}
}
