package opa

import (
	"encoding/json"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// The identifiers of the operations, and what their paths begin with.
const (
	idV1   = "opaData"
	idV0   = "opaDataV0"
	v1Path = "/v1/data/"
	v0Path = "/v0/data/"
)

const tag = "OPA"

const question = `{"request": {"method": "GET", "url": "/orders/42"}, "token": "2YotnFZFEjr1zCsicMWpAA"}`

func described() description.Door {
	path := description.Parameter{Name: "path", In: "path", Required: true,
		Schema: jsonschema.Schema{Type: "string"}, Example: "authz/decision", Description: "Path of an entrypoint."}
	object := &jsonschema.Schema{Type: "object"}
	operation := func(id, under, summary, about, example string, result description.Answer) description.Operation {
		return description.Operation{
			Method: http.MethodPost, Path: under + "{path}", Listeners: []string{"api"}, ID: id, Tag: tag,
			Summary: summary, About: about, Parameters: []description.Parameter{path}, OwnErrors: true,
			Body: map[string]description.Media{"application/json": {Schema: object,
				Example: json.RawMessage(example)}},
			Answers: append([]description.Answer{result}, errorAnswers(object)...),
		}
	}
	return description.Door{
		Tags: []description.Tag{{Name: tag, Description: "The data API of OPA, for its clients. It is off unless " +
			"`opa.enabled` is set."}},
		Operations: []description.Operation{
			operation(idV1, v1Path, "Ask as OPA 1.x is asked",
				"`input` is the body of `POST /v1/decisions`. There is no `result` when the token cannot be used.",
				`{"input": `+question+`}`, description.Answer{Status: http.StatusOK,
					About: "What the policy returned, as `result`.", MediaType: "application/json", Schema: object}),
			operation(idV0, v0Path, "Ask without an envelope", "The body is that of `POST /v1/decisions`.", question,
				description.Answer{Status: http.StatusOK, About: "What the policy returned.",
					MediaType: "application/json", Schema: &jsonschema.Schema{}}),
		},
	}
}

func errorAnswers(object *jsonschema.Schema) (all []description.Answer) {
	for _, of := range []struct {
		status int
		about  string
	}{
		{http.StatusBadRequest, "The call or the request in it cannot be read."},
		{http.StatusUnauthorized, "The listener wants a caller key."},
		{http.StatusForbidden, "A web page of another origin may not call."},
		{http.StatusNotFound, "The API is off, or no entrypoint has the path; of v0, the decision is undefined."},
		{http.StatusRequestTimeout, "The body did not arrive in time."},
		{http.StatusRequestEntityTooLarge, "The body is over `limits.body_bytes`."},
		{http.StatusUnsupportedMediaType, "The body is no JSON by its headers."},
		{http.StatusMisdirectedRequest, "The listener has another name."},
		{http.StatusInternalServerError, "The policy or the sidecar failed."},
		{http.StatusServiceUnavailable, "Nothing can be decided now."},
	} {
		all = append(all, description.Answer{Status: of.status, About: of.about, MediaType: "application/json",
			Schema: object})
	}
	return all
}
