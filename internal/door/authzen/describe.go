package authzen

import (
	"encoding/json"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

const (
	exampleEntities = `"subject": {"type": "user", "id": "morty@the-citadel.example"}, ` +
		`"action": {"name": "can_read_todos"}, "resource": {"type": "todo", "id": "1"}`
	exampleOne     = `{` + exampleEntities + `}`
	exampleSeveral = `{` + exampleEntities + `, "evaluations": [{"action": {"name": "can_create_todo"}}]}`
	exampleSubject = `{"subject": {"type": "user"}, "action": {"name": "can_create_todo"}, ` +
		`"resource": {"type": "todo", "id": "1"}}`
	exampleResource = `{"subject": {"type": "user", "id": "morty@the-citadel.example"}, ` +
		`"action": {"name": "can_update_todo"}, "resource": {"type": "todo"}}`
	exampleAction = `{"subject": {"type": "user", "id": "morty@the-citadel.example"}, ` +
		`"resource": {"type": "todo", "id": "1"}}`
)

// describe describes the API.
func describe() description.Door {
	post := func(id, path, summary, about, schema, answer, example string) description.Operation {
		return description.Operation{
			Method: http.MethodPost, Path: path, Listeners: []string{"api"}, ID: id, Tag: "authzen", Summary: summary,
			About: about, OwnErrors: true,
			Body: map[string]description.Media{"application/json": {Schema: description.Ref(schema),
				Example: json.RawMessage(example)}},
			Answers: append([]description.Answer{{Status: http.StatusOK, About: "The answer.",
				MediaType: "application/json", Schema: description.Ref(answer)}}, errorAnswers(asked)...),
		}
	}
	search := func(id, what, example string) description.Operation {
		return post(id, searchPath+what, "Search for "+what+"s (AuthZEN 1.0)",
			"Every result is one that an evaluation "+
				"permits. Off without authzen.search."+what+".", "AuthZENSearch", "AuthZENResults", example)
	}
	return description.Door{
		Tags: []description.Tag{
			{Name: "authzen", Description: "The AuthZEN Authorization API 1.0. An error is a JSON " +
				"string. X-Request-ID is repeated in the answer. Off without authzen.entrypoint."}},
		Operations: []description.Operation{
			post("evaluate", evaluationPath, "Evaluate one access request (AuthZEN 1.0)",
				"A denial is an answer: 200 with decision false.", "AuthZENEvaluation", "AuthZENDecision", exampleOne),
			post("evaluateAll", evaluationsPath, "Evaluate several access requests (AuthZEN 1.0)",
				"Members beside evaluations are defaults. Without evaluations the answer is that to one request.",
				"AuthZENEvaluations", "AuthZENDecisions", exampleSeveral),
			search("searchSubject", "subject", exampleSubject), search("searchResource", "resource", exampleResource),
			search("searchAction", "action", exampleAction),
			metadataOperation("authzenMetadata", metadataPath), metadataOperation("authzenMetadataBelow",
				metadataPath+"/{path}"),
		},
		Schemas: schemas(),
	}
}

func metadataOperation(id, path string) description.Operation {
	o := description.Operation{
		Method: http.MethodGet, Path: path, Listeners: []string{"api"}, ID: id, Tag: "authzen",
		Summary: "Tell what this policy decision point supports (AuthZEN 1.0)", About: "It needs no caller key. Off " +
			"without authzen.public_url, whose path follows the path of the metadata.",
		Needs: description.NoName, Head: true, OwnErrors: true,
		Answers: append([]description.Answer{{Status: http.StatusOK, About: "The metadata.",
			MediaType: "application/json", Schema: &jsonschema.Schema{Type: "object",
				Required: []string{"policy_decision_point", "access_evaluation_endpoint"}}}},
			errorAnswers(map[int]string{http.StatusNotFound: "The metadata are off."})...),
	}
	if path != metadataPath {
		o.Parameters = []description.Parameter{{Name: "path", In: "path", Required: true, Example: "tenant",
			Description: "The path of authzen.public_url.", Schema: jsonschema.Schema{Type: "string", MinLength: 1}}}
	}
	return o
}

// asked are the errors of questions, by status.
var asked = map[int]string{
	http.StatusBadRequest:            "The body, or what it asks, is at fault.",
	http.StatusUnauthorized:          "The listener wants a caller key.",
	http.StatusForbidden:             "The call comes from a web page of another origin.",
	http.StatusNotFound:              "This is off.",
	http.StatusRequestTimeout:        "The body did not arrive in time.",
	http.StatusRequestEntityTooLarge: "The body is over limits.body_bytes.",
	http.StatusMisdirectedRequest:    "Host is no name of this listener.",
	http.StatusTooManyRequests: "Too many unknown tokens, or the caller is over limits.per_caller. Retry-After has " +
		"the seconds to wait.",
	http.StatusInternalServerError: "The policy or the sidecar is at fault.",
	http.StatusServiceUnavailable:  "The authorization server does not answer. Retry-After has the seconds to wait.",
}

func errorAnswers(about map[int]string) []description.Answer {
	var out []description.Answer
	for status := 400; status < 600; status++ {
		if words, ok := about[status]; ok {
			out = append(out, description.Answer{Status: status, About: words, MediaType: "application/json",
				Schema: &jsonschema.Schema{Type: "string"}})
		}
	}
	return out
}

func schemas() jsonschema.Properties {
	text := jsonschema.Schema{Type: "string"}
	some := jsonschema.Schema{Type: "string", MinLength: 1}
	open := jsonschema.Schema{Type: []any{"object", "null"}, Additional: true}
	orNull := func(s jsonschema.Schema) jsonschema.Schema { // null counts as absent
		return jsonschema.Schema{AnyOf: []jsonschema.Schema{s, {Type: "null"}}}
	}
	object := func(required []string, members ...jsonschema.Property) jsonschema.Schema {
		return jsonschema.Schema{Type: "object", Required: required, Properties: members, Additional: true}
	}
	member := func(name string, s jsonschema.Schema) jsonschema.Property {
		return jsonschema.Property{Name: name, Schema: s}
	}
	entities := []jsonschema.Property{member("subject", *description.Ref("AuthZENEntity")),
		member("action", *description.Ref("AuthZENAction")), member("resource", *description.Ref("AuthZENEntity")),
		member("context", open)}
	list := func(of *jsonschema.Schema) jsonschema.Schema { return jsonschema.Schema{Type: "array", Items: of} }
	var several []jsonschema.Property
	for _, e := range entities { // defaults: a wrong one is an error in the place of each evaluation that has no other
		several = append(several, member(e.Name, jsonschema.Schema{AnyOf: []jsonschema.Schema{e.Schema, {}}}))
	}
	several = append(several,
		member("evaluations", orNull(list(&jsonschema.Schema{}))), // one that is no object is an error in its place
		member("options", orNull(object(nil, member("evaluations_semantic",
			orNull(jsonschema.Schema{Enum: []string{"", executeAll, denyOnFirstDeny, permitOnFirstPermit}}))))))
	searched := object([]string{"type"}, member("type", some), member("id", orNull(text)), member("properties", open))
	page := object(nil, member("token", orNull(text)), member("limit",
		jsonschema.Schema{Type: []any{"integer", "null"}, Minimum: "1"}))
	return jsonschema.Properties{
		member("AuthZENEntity", object([]string{"type", "id"}, member("type", some), member("id", some),
			member("properties", open))),
		member("AuthZENAction", object([]string{"name"}, member("name", some), member("properties", open))),
		member("AuthZENEvaluation", object([]string{"subject", "action", "resource"}, entities...)),
		member("AuthZENEvaluations", object(nil, several...)),
		member("AuthZENSearch", object([]string{"subject", "resource"}, member("subject", searched),
			member("action", orNull(object(nil, member("name", orNull(text))))), member("resource", searched),
			member("context", open), member("page", orNull(page)))),
		member("AuthZENDecision", object([]string{"decision"}, member("decision", jsonschema.Schema{Type: "boolean"}),
			member("context", jsonschema.Schema{Type: "object", Additional: true}))),
		member("AuthZENDecisions", object(nil, member("decision", jsonschema.Schema{Type: "boolean"}),
			member("context", jsonschema.Schema{Type: "object", Additional: true}),
			member("evaluations", list(description.Ref("AuthZENDecision"))))),
		member("AuthZENResults", object([]string{"results"},
			member("results", list(&jsonschema.Schema{Type: "object", Additional: true})),
			member("page", object([]string{"next_token"}, member("next_token", text))))),
	}
}
