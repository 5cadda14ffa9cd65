package native

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// reading is what may be wrong with a body, whatever it is about.
func reading(more ...string) []string {
	return append(more, "bad_json", "duplicate_member", "unknown_member", "wrong_type", "incomplete_body",
		"body_too_slow", "body_too_large", "unsupported_media_type")
}

// asking is what may be wrong with a question.
func asking(more ...string) []string {
	return reading(append(more, "missing_member", "too_deep", "number_out_of_range")...)
}

// codesOf are the codes of the call errors of o, by status, in the order of callErrors.
func codesOf(o description.Operation) map[int][]string {
	out := map[int][]string{}
	if o.OwnErrors {
		return out
	}
	codes := append([]string{"internal_error"}, o.Errors...)
	if o.Needs != description.NoName {
		codes = append(codes, "foreign_origin", "gateway_check", "unknown_host")
	}
	if o.Needs == description.CallerKey {
		codes = append(codes, "unauthorized")
		if !o.Unlimited {
			codes = append(codes, "too_many_calls")
		}
	}
	for _, c := range callErrors() {
		if slices.Contains(codes, c.code) {
			out[c.status] = append(out[c.status], c.code)
		}
	}
	return out
}

const (
	exampleRequest = `"request": {"method": "GET", "url": "/orders/42", "headers": {"authorization": ["Bearer TOKEN"]}}`
	exampleCall    = `{` + exampleRequest + `}`
	exampleBatch   = `{"token": "TOKEN", "items": [{"request": {"method": "GET", "url": "/orders/42"}}]}`
	exampleEvict   = `{"token": "TOKEN"}`
)

func callOf(schema, example string) map[string]description.Media {
	return map[string]description.Media{"application/json": {Schema: description.Ref(schema),
		Example: json.RawMessage(example)}}
}

func answered(schema, about string) []description.Answer {
	return []description.Answer{{Status: http.StatusOK, About: about, MediaType: "application/json",
		Schema: description.Ref(schema)}}
}

// ownOperations lists the operations of this door in the order in which the page at / shows them.
func ownOperations() []description.Operation {
	return slices.Concat(decisionOperations(), adminOperations(), eventOperations(), stateOperations(),
		descriptionOperations())
}

func decisionOperations() []description.Operation {
	api := []string{"api"}
	return []description.Operation{{
		Method: http.MethodPost, Path: "/v1/decisions", Listeners: api, ID: "decide", Tag: "decisions",
		Summary: "Decide about one request",
		About:   "The answer is 200 whenever there is a decision, also when the request is refused: see allow.",
		Body:    callOf("Call", exampleCall), Answers: answered("Decision", "The decision."),
		Errors: asking("unknown_entrypoint"),
	}, {
		Method: http.MethodPost, Path: "/v1/decisions/batch", Listeners: api, ID: "decideAll", Tag: "decisions",
		Summary: "Decide about several requests",
		About: "Members beside items are defaults of the items; a member of an item replaces the default of that " +
			"name as a whole. One item that is wrong makes the whole call wrong.",
		Body: callOf("BatchCall", exampleBatch), Answers: answered("Decisions", "A decision for each item, in order."),
		Errors: asking("batch_too_large"),
	}, {
		Method: http.MethodPost, Path: "/v1/decisions/{path}", Listeners: api, ID: "decideBy", Tag: "decisions",
		Summary: "Decide about one request by another entrypoint",
		About: "Rules that are annotated entrypoint: true or named in engine.entrypoints can be asked. The slashes of " +
			"the path stand as they are, or as %2F.",
		Parameters: []description.Parameter{{Name: "path", In: "path", Required: true, Example: "authz/decision",
			Description: "The path of the rule, such as authz/decision for data.authz.decision.",
			Schema:      jsonschema.Schema{Type: "string", MinLength: 1}}},
		Body: callOf("Call", exampleCall), Answers: answered("Decision", "The decision."),
		Errors: asking("unknown_entrypoint"),
	}}
}

func adminOperations() []description.Operation {
	admin := []string{"admin"}
	return []description.Operation{{
		Method: http.MethodPost, Path: "/v1/explain", Listeners: admin, ID: "explain", Tag: "decisions",
		Summary: "Say why a request would be allowed or not",
		About:   "The answer is enforced by nothing, and stands in no decision log. A DPoP proof is not used up.",
		Body:    callOf("ExplainCall", exampleCall), Answers: answered("Explained", "The decision, and why it is so."),
		Errors: asking("unknown_entrypoint", "too_many_explanations"),
	}, {
		Method: http.MethodPost, Path: "/v1/evict", Listeners: admin, ID: "evict", Tag: "operations",
		Summary: "Forget what is known about tokens",
		About: "What is named must all match. issuer alone names no tokens. The next request with such a token asks " +
			"the authorization server.",
		Body: callOf("EvictCall", exampleEvict), Answers: answered("Evicted", "How many answers were forgotten."),
		Errors: reading("missing_member", "bad_token", "nothing_named", "unknown_issuer", "issuer_needed"),
	}}
}

func stateOperations() []description.Operation {
	text := &jsonschema.Schema{Type: "string"}
	everywhere := []string{"api", "admin", "metrics"}
	return []description.Operation{{
		Method: http.MethodGet, Path: "/v1/status", Listeners: []string{"api", "admin"}, ID: "status",
		Tag: "operations", Head: true, Summary: "Tell the state of the sidecar",
		Answers: answered("Status", "The state."),
	}, {
		Method: http.MethodGet, Path: "/livez", Listeners: everywhere, ID: "live", Tag: "operations",
		Needs: description.NoKey,
		Head:  true, Summary: "Tell that the process answers", Answers: answered("Alive", "The process answers."),
	}, {
		Method: http.MethodGet, Path: "/readyz", Listeners: everywhere, ID: "ready", Tag: "operations",
		Needs: description.NoKey,
		Head:  true, Summary: "Tell whether the sidecar is ready",
		Answers: append(answered("Readiness", "It is ready."),
			description.Answer{Status: http.StatusServiceUnavailable, About: "It is not ready.",
				MediaType: "application/json", Schema: description.Ref("Readiness")}),
	}, {
		Method: http.MethodGet, Path: "/metrics", Listeners: []string{"admin", "metrics"}, ID: "metrics",
		Tag: "operations", Summary: "List the metrics", Unlimited: true,
		About: "Accept may ask for the OpenMetrics format.",
		Answers: []description.Answer{
			{Status: http.StatusOK, About: "The metrics, in the text format of Prometheus.", MediaType: "text/plain",
				Schema: text},
			{Status: http.StatusOK, About: "The same in OpenMetrics.", MediaType: "application/openmetrics-text",
				Schema: text},
		},
	}}
}

func descriptionOperations() []description.Operation {
	everywhere := []string{"api", "admin", "metrics"}
	return []description.Operation{{
		Method: http.MethodGet, Path: "/openapi.json", Listeners: everywhere, ID: "openapi", Tag: "description",
		Needs: description.NoKey, Head: true, Summary: "Describe this API, as OpenAPI 3.1",
		Answers: []description.Answer{{Status: http.StatusOK, About: "This description.",
			MediaType: "application/json",
			Schema:    &jsonschema.Schema{Type: "object", Required: []string{"openapi", "info", "paths"}}}},
	}, {
		Method: http.MethodGet, Path: "/", Listeners: everywhere, ID: "page", Tag: "description",
		Needs: description.NoKey,
		Head:  true, Summary: "Show the paths of this listener, as a page",
		Answers: []description.Answer{{Status: http.StatusOK, About: "The page.", MediaType: "text/html",
			Schema: &jsonschema.Schema{Type: "string"}}},
	}}
}
