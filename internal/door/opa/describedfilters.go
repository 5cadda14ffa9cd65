package opa

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

const (
	idCompile   = "opaCompile"
	idFilter    = "opaFilter"
	idQuery     = "opaQuery"
	idQueryGet  = "opaQueryGet"
	compilePath = "/v1/compile"
	filterPath  = "/v1/compile/"
	queryPath   = "/v1/query"
)

// describedFilters are the operations that compile filters and evaluate queries.
func describedFilters(object *jsonschema.Schema) []description.Operation {
	operation := func(method, path, id, summary, about string) description.Operation {
		return description.Operation{Method: method, Path: path, Listeners: []string{"api"}, ID: id, Tag: tag,
			Summary: summary, About: about, OwnErrors: true, Answers: errorAnswers(object)}
	}
	with := func(o description.Operation, example string, mediaTypes ...string) description.Operation {
		if example != "" {
			o.Body = map[string]description.Media{jsonType: {Schema: object, Example: json.RawMessage(example)}}
		}
		for _, media := range mediaTypes {
			o.Answers = append(o.Answers, description.Answer{Status: http.StatusOK, MediaType: media, Schema: object,
				About: "The answer, as `result`; without it nothing meets the condition."})
		}
		return o
	}
	filter := operation(http.MethodPost, filterPath+"{path}", idFilter, "Compile a rule into a filter",
		"`Accept` says which: SQL or UCAST. `input` is the body of `POST /v1/decisions`, or the caller's own.")
	filter.Parameters = []description.Parameter{{Name: "path", In: "path", Required: true, Example: "orders/visible",
		Schema: jsonschema.Schema{Type: "string"}, Description: "Path of a rule."}}
	get := operation(http.MethodGet, queryPath, idQueryGet, "Evaluate a query of Rego",
		"It is off unless `opa.query` is set.")
	get.Parameters = []description.Parameter{{Name: "q", In: "query", Required: true, Example: "data.app.allow = x",
		Schema: jsonschema.Schema{Type: "string"}, Description: "A query over `opa.packages`."}}
	accepted := append(slices.Sorted(maps.Keys(targets())), togetherType)
	return []description.Operation{
		with(operation(http.MethodPost, compilePath, idCompile, "Evaluate a query partially",
			"What is left of a query of Rego when parts of the input are unknown."),
			`{"query": "data.app.allow == true", "unknowns": ["input.order"], "input": {"user": "ann"}}`, jsonType),
		with(filter, `{"input": `+question+`, "unknowns": ["input.context"]}`, accepted...),
		with(operation(http.MethodPost, queryPath, idQuery, "Evaluate a query of Rego",
			"It is off unless `opa.query` is set."), `{"query": "data.app.allow = x", "input": {"user": "ann"}}`,
			jsonType),
		with(get, "", jsonType),
	}
}
