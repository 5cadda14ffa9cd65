package native

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// eventOperations are what authorization servers call, where the configuration has events. What they answer is
// described by the standards that they are of.
func eventOperations() []description.Operation {
	name := description.Parameter{Name: "name", In: "path", Required: true, Example: "acme",
		Description: "The configured name of the issuer.", Schema: jsonschema.Schema{Type: "string", MinLength: 1}}
	text := &jsonschema.Schema{Type: "string"}
	form := &jsonschema.Schema{Type: "object", Required: []string{"logout_token"},
		Properties: jsonschema.Properties{{Name: "logout_token", Schema: *text}}}
	all := []description.Operation{{
		Method: http.MethodPost, Path: "/v1/events/{name}/backchannel-logout", ID: "backchannelLogout",
		Summary:    "Receive a logout token (OpenID Connect Back-Channel Logout 1.0)",
		Parameters: []description.Parameter{name},
		Body:       map[string]description.Media{"application/x-www-form-urlencoded": {Schema: form}},
		Answers:    []description.Answer{{Status: http.StatusOK, About: "The logout is in force."}},
		Refused:    receiverErrors("error", "error_description"),
	}, {
		Method: http.MethodPost, Path: "/v1/events/{name}/shared-signals", ID: "sharedSignals",
		Summary:    "Receive a security event token (RFC 8935)",
		Parameters: []description.Parameter{name},
		Body:       map[string]description.Media{"application/secevent+jwt": {Schema: text}},
		Answers:    []description.Answer{{Status: http.StatusAccepted, About: "The event was taken."}},
		Refused:    receiverErrors("err", "description"),
	}, {
		Method: http.MethodPost, Path: "/v1/events/{name}/keycloak/{action}", ID: "keycloak",
		Summary: "Receive what Keycloak posts to an admin URL",
		Parameters: []description.Parameter{name, {Name: "action", In: "path", Required: true,
			Description: "What Keycloak asks for.",
			Schema: jsonschema.Schema{Type: "string",
				Enum: []string{"k_logout", "k_push_not_before", "k_test_available"}}}},
		Body:    map[string]description.Media{"text/plain": {Schema: text}},
		Answers: []description.Answer{{Status: http.StatusNoContent, About: "The message is in force."}},
		Refused: func(rs map[string]description.Response) {
			receiverErrors("", "")(rs)
			rs["400"] = description.Text("The message is not valid, or the HTTP request is not.")
		},
	}}
	for i := range all {
		all[i].Listeners, all[i].Tag, all[i].Needs = []string{"admin"}, "events", description.NoName
		all[i].About = "It needs no caller key: a message counts only when a configured server has signed it."
	}
	return all
}

// receiverErrors are the answers of a receiver that takes nothing. code and about name the members of its JSON.
func receiverErrors(code, about string) func(map[string]description.Response) {
	return func(rs map[string]description.Response) {
		text := jsonschema.Schema{Type: "string"}
		schema := &jsonschema.Schema{Type: "object", Required: []string{code}, Properties: jsonschema.Properties{
			{Name: code, Schema: text}, {Name: about, Schema: text}}}
		rs["400"] = description.Response{Description: "The message is not valid.",
			Content: map[string]description.Media{
				"application/json": {Schema: schema}, "text/plain": {}}}
		rs["404"] = description.Response{Description: "No such receiver is configured.",
			Content: map[string]description.Media{
				"text/plain": {}, "application/json": {Schema: description.Ref("Error")}}}
		rs["503"] = description.Text("The message could not be judged or put in force. It may be sent again.")
	}
}
