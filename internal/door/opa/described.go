package opa

import (
	"encoding/json"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// The identifiers of the operations, and what their paths begin with.
const (
	idV1      = "opaData"
	idV0      = "opaDataV0"
	idBatch   = "opaBatch"
	idGet     = "opaDataGet"
	idDefault = "opaDefault"
	v1Path    = "/v1/data/"
	v0Path    = "/v0/data/"
	batchPath = "/v1/batch/data/"
)

const tag = "OPA"

const question = `{"request": {"method": "GET", "url": "/orders/42"}, "token": "2YotnFZFEjr1zCsicMWpAA"}`

func described() description.Door {
	path := description.Parameter{Name: "path", In: "path", Required: true,
		Schema: jsonschema.Schema{Type: "string"}, Example: "authz/decision", Description: "Path of an entrypoint, " +
			"or of a member of its result."}
	object := &jsonschema.Schema{Type: "object"}
	operation := func(id, under, summary, about, example string, result description.Answer) description.Operation {
		parameters := append([]description.Parameter{path}, describedParameters(id)...)
		if under == "/" {
			parameters = nil
		} else {
			under += "{path}"
		}
		return description.Operation{
			Method: http.MethodPost, Path: under, Listeners: []string{"api"}, ID: id, Tag: tag,
			Summary: summary, About: about, Parameters: parameters, OwnErrors: true,
			Body: map[string]description.Media{"application/json": {Schema: object,
				Example: json.RawMessage(example)}},
			Answers: append([]description.Answer{result}, errorAnswers(object)...),
		}
	}
	value := description.Answer{Status: http.StatusOK, About: "What the policy returned.",
		MediaType: "application/json", Schema: &jsonschema.Schema{}}
	return description.Door{
		Tags: []description.Tag{{Name: tag, Description: "The API of OPA, for its clients. It is off unless " +
			"`opa.enabled` is set."}},
		Operations: append([]description.Operation{
			taking(jsonschema.Schema{Type: []any{"object", "null"}}, operation(idV1, v1Path, "Ask as OPA 1.x is asked",
				"`input` is the body of `POST /v1/decisions`, or what a package of `opa.packages` reads, or none. There is "+
					"no `result` when the token cannot be used.",
				`{"input": `+question+`}`, description.Answer{Status: http.StatusOK,
					About: "What the policy returned, as `result`.", MediaType: "application/json", Schema: object})),
			taking(jsonschema.Schema{}, operation(idV0, v0Path, "Ask without an envelope",
				"The body is that of `POST /v1/decisions`, or what a package of `opa.packages` reads.", question, value)),
			taking(jsonschema.Schema{}, operation(idDefault, "/", "Ask for the default decision",
				"As of `POST /v0/data`. It is off unless `opa.default_decision` is set.", question, value)),
			asked(operation(idGet, v1Path, "Ask without a body", "The query has the `input`, as JSON, or none.",
				question,
				description.Answer{Status: http.StatusOK, About: "What the policy returned, as `result`.",
					MediaType: "application/json", Schema: object})),
			several(operation(idBatch, batchPath, "Ask several questions at once",
				"Each of `inputs` is the body of `POST /v1/decisions`.", `{"inputs": {"first": `+question+`}}`,
				description.Answer{Status: http.StatusOK, About: "An answer for each input, as `responses`.",
					MediaType: "application/json", Schema: object}), object),
		}, append(describedServer(object), describedFilters(object)...)...),
	}
}

// taking is o with another schema of its body: packages may read any JSON value, or none.
func taking(body jsonschema.Schema, o description.Operation) description.Operation {
	media := o.Body["application/json"]
	media.Schema = &body
	o.Body["application/json"] = media
	return o
}

// asked is o by GET, with its input in the query.
func asked(o description.Operation) description.Operation {
	o.Method, o.Body = http.MethodGet, nil
	o.Parameters = append(o.Parameters, description.Parameter{Name: "input", In: "query", Example: question,
		Description: "The input, as JSON.", Schema: jsonschema.Schema{Type: "string"}})
	return o
}

// several adds the answer to a batch of which some inputs have an error.
func several(o description.Operation, object *jsonschema.Schema) description.Operation {
	o.Answers = append(o.Answers, description.Answer{Status: http.StatusMultiStatus,
		About: "As 200; some of the inputs have an error.", MediaType: "application/json", Schema: object})
	return o
}

// describedParameters are those of an operation that answers as /v1/data does.
func describedParameters(id string) (all []description.Parameter) {
	if id != idV1 && id != idGet {
		return nil
	}
	for _, of := range []struct{ name, example, about string }{
		{"pretty", "true", "Indent the answer."},
		{"metrics", "true", "Answer with `metrics`."},
		{"provenance", "true", "Answer with `provenance`."},
		{"explain", "notes", "Answer with an `explanation`: `notes`, `fails`, `full` or `debug`. " +
			"It needs `opa.policies`."},
	} {
		all = append(all, description.Parameter{Name: of.name, In: "query", Example: of.example, Description: of.about,
			Schema: jsonschema.Schema{Type: "string"}})
	}
	return all
}

func errorAnswers(object *jsonschema.Schema) (all []description.Answer) {
	for _, of := range []struct {
		status int
		about  string
	}{
		{http.StatusBadRequest, "The call or the request in it cannot be read."},
		{http.StatusUnauthorized, "The listener wants a caller key."},
		{http.StatusForbidden, "A web page of another origin may not call; of a filter, the token cannot be used."},
		{http.StatusNotFound, "The API is off, or no entrypoint has the path; of v0, the decision is undefined."},
		{http.StatusRequestTimeout, "The body did not arrive in time."},
		{http.StatusRequestEntityTooLarge, "The body is over `limits.body_bytes`."},
		{http.StatusUnsupportedMediaType,
			"The body is neither JSON nor YAML by its headers, or is compressed by something else than gzip."},
		{http.StatusMisdirectedRequest, "The listener has another name."},
		{http.StatusTooManyRequests, "The caller is over `limits.per_caller`."},
		{http.StatusInternalServerError, "The policy or the sidecar failed."},
		{http.StatusServiceUnavailable, "Nothing can be decided now."},
	} {
		all = append(all, description.Answer{Status: of.status, About: of.about, MediaType: "application/json",
			Schema: object})
	}
	return all
}
