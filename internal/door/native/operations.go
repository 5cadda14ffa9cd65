package native

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// operation is one operation of the API, from which its description and the page at / are made. Tests hold the
// operations against the routes.
type operation struct {
	method, path string
	listeners    []string
	id, tag      string
	summary      string
	about        string
	needs        need
	head         bool // HEAD is served too
	parameters   []parameter
	body         map[string]media
	answers      []answerOf
	errors       []string // codes of callErrors, besides those that every call may get
	refused      func(map[string]response)
}

// need is what a caller must show.
type need uint8

const (
	callerKey need = iota // a caller key, where the listener has any
	noKey                 // nothing
	noName                // nothing, and it may call the listener by any name
)

// answerOf is an answer that is no error.
type answerOf struct {
	status    int
	about     string
	mediaType string // or "" without a body
	schema    *jsonschema.Schema
}

// reading is what may be wrong with a body, whatever it is about.
func reading(more ...string) []string {
	return append(more, "bad_json", "duplicate_member", "unknown_member", "wrong_type", "incomplete_body",
		"body_too_slow", "body_too_large", "unsupported_media_type")
}

// asking is what may be wrong with a question.
func asking(more ...string) []string {
	return reading(append(more, "missing_member", "too_deep", "number_out_of_range")...)
}

// codes are the codes of the call errors of o, by status, in the order of callErrors.
func (o operation) codes() map[int][]string {
	codes := append([]string{"internal_error"}, o.errors...)
	if o.needs != noName {
		codes = append(codes, "foreign_origin", "unknown_host")
	}
	if o.needs == callerKey {
		codes = append(codes, "unauthorized")
	}
	out := map[int][]string{}
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

func callOf(schema, example string) map[string]media {
	return map[string]media{"application/json": {Schema: ref(schema), Example: json.RawMessage(example)}}
}

func answered(schema, about string) []answerOf {
	return []answerOf{{http.StatusOK, about, "application/json", ref(schema)}}
}

// operations lists the operations in the order in which the page at / shows them.
func operations() []operation {
	return slices.Concat(decisionOperations(), adminOperations(), eventOperations(), stateOperations(),
		descriptionOperations())
}

func decisionOperations() []operation {
	api := []string{"api"}
	return []operation{{
		method: http.MethodPost, path: "/v1/decisions", listeners: api, id: "decide", tag: "decisions",
		summary: "Decide about one request",
		about:   "The answer is 200 whenever there is a decision, also when the request is refused: see allow.",
		body:    callOf("Call", exampleCall), answers: answered("Decision", "The decision."),
		errors: asking("unknown_entrypoint"),
	}, {
		method: http.MethodPost, path: "/v1/decisions/batch", listeners: api, id: "decideAll", tag: "decisions",
		summary: "Decide about several requests",
		about: "Members beside items are defaults of the items; a member of an item replaces the default of that " +
			"name as a whole. One item that is wrong makes the whole call wrong.",
		body: callOf("BatchCall", exampleBatch), answers: answered("Decisions", "A decision for each item, in order."),
		errors: asking("batch_too_large"),
	}, {
		method: http.MethodPost, path: "/v1/decisions/{path}", listeners: api, id: "decideBy", tag: "decisions",
		summary: "Decide about one request by another entrypoint",
		about: "Rules that are annotated entrypoint: true or named in engine.entrypoints can be asked. The slashes of " +
			"the path stand as they are, or as %2F.",
		parameters: []parameter{{Name: "path", In: "path", Required: true, Example: "authz/decision",
			Description: "The path of the rule, such as authz/decision for data.authz.decision.",
			Schema:      jsonschema.Schema{Type: "string", MinLength: 1}}},
		body: callOf("Call", exampleCall), answers: answered("Decision", "The decision."),
		errors: asking("unknown_entrypoint"),
	}}
}

func adminOperations() []operation {
	admin := []string{"admin"}
	return []operation{{
		method: http.MethodPost, path: "/v1/explain", listeners: admin, id: "explain", tag: "decisions",
		summary: "Say why a request would be allowed or not",
		about:   "The answer is enforced by nothing, and stands in no decision log. A DPoP proof is not used up.",
		body:    callOf("ExplainCall", exampleCall), answers: answered("Explained", "The decision, and why it is so."),
		errors: asking("unknown_entrypoint", "too_many_explanations"),
	}, {
		method: http.MethodPost, path: "/v1/evict", listeners: admin, id: "evict", tag: "operations",
		summary: "Forget what is known about tokens",
		about: "What is named must all match. issuer alone names no tokens. The next request with such a token asks " +
			"the authorization server.",
		body: callOf("EvictCall", exampleEvict), answers: answered("Evicted", "How many answers were forgotten."),
		errors: reading("missing_member", "bad_token", "nothing_named", "unknown_issuer", "issuer_needed"),
	}}
}

func stateOperations() []operation {
	text := &jsonschema.Schema{Type: "string"}
	everywhere := []string{"api", "admin", "metrics"}
	return []operation{{
		method: http.MethodGet, path: "/v1/status", listeners: []string{"api", "admin"}, id: "status",
		tag: "operations", head: true, summary: "Tell the state of the sidecar",
		answers: answered("Status", "The state."),
	}, {
		method: http.MethodGet, path: "/livez", listeners: everywhere, id: "live", tag: "operations", needs: noKey,
		head: true, summary: "Tell that the process answers", answers: answered("Alive", "The process answers."),
	}, {
		method: http.MethodGet, path: "/readyz", listeners: everywhere, id: "ready", tag: "operations", needs: noKey,
		head: true, summary: "Tell whether the sidecar is ready",
		answers: append(answered("Readiness", "It is ready."),
			answerOf{http.StatusServiceUnavailable, "It is not ready.", "application/json", ref("Readiness")}),
	}, {
		method: http.MethodGet, path: "/metrics", listeners: []string{"admin", "metrics"}, id: "metrics",
		tag: "operations", summary: "List the metrics",
		about: "Accept may ask for the OpenMetrics format.",
		answers: []answerOf{
			{http.StatusOK, "The metrics, in the text format of Prometheus.", "text/plain", text},
			{http.StatusOK, "The same in OpenMetrics.", "application/openmetrics-text", text},
		},
	}}
}

func descriptionOperations() []operation {
	everywhere := []string{"api", "admin", "metrics"}
	return []operation{{
		method: http.MethodGet, path: "/openapi.json", listeners: everywhere, id: "openapi", tag: "description",
		needs: noKey, head: true, summary: "Describe this API, as OpenAPI 3.1",
		answers: []answerOf{{http.StatusOK, "This description.", "application/json",
			&jsonschema.Schema{Type: "object", Required: []string{"openapi", "info", "paths"}}}},
	}, {
		method: http.MethodGet, path: "/", listeners: everywhere, id: "page", tag: "description", needs: noKey,
		head: true, summary: "Show the paths of this listener, as a page",
		answers: []answerOf{{http.StatusOK, "The page.", "text/html", &jsonschema.Schema{Type: "string"}}},
	}}
}
