package native

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// The parts of an OpenAPI description that this API needs. Maps are written in the order of their keys.
type (
	description struct {
		OpenAPI    string                `json:"openapi"`
		Info       info                  `json:"info"`
		Docs       docs                  `json:"externalDocs"`
		Servers    []server              `json:"servers"`
		Security   []map[string][]string `json:"security"`
		Tags       []tag                 `json:"tags"`
		Paths      map[string]pathItem   `json:"paths"`
		Components components            `json:"components"`
	}
	info struct {
		Title       string  `json:"title"`
		Summary     string  `json:"summary"`
		Description string  `json:"description"`
		License     license `json:"license"`
		Version     string  `json:"version"`
	}
	license struct {
		Name       string `json:"name"`
		Identifier string `json:"identifier"`
	}
	docs struct {
		URL string `json:"url"`
	}
	server struct {
		URL         string `json:"url"`
		Description string `json:"description"`
	}
	tag struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	pathItem struct {
		Servers    []server         `json:"servers,omitempty"`
		Parameters []parameter      `json:"parameters,omitempty"`
		Get        *operationObject `json:"get,omitempty"`
		Head       *operationObject `json:"head,omitempty"`
		Post       *operationObject `json:"post,omitempty"`
	}
	operationObject struct {
		ID          string                 `json:"operationId"`
		Tags        []string               `json:"tags"`
		Summary     string                 `json:"summary"`
		Description string                 `json:"description,omitempty"`
		Security    *[]map[string][]string `json:"security,omitempty"`
		Body        *body                  `json:"requestBody,omitempty"`
		Responses   map[string]response    `json:"responses"`
	}
	parameter struct {
		Name        string            `json:"name"`
		In          string            `json:"in"`
		Description string            `json:"description"`
		Required    bool              `json:"required"`
		Schema      jsonschema.Schema `json:"schema"`
		Example     string            `json:"example,omitempty"`
	}
	body struct {
		Required bool             `json:"required"`
		Content  map[string]media `json:"content"`
	}
	media struct {
		Schema  *jsonschema.Schema `json:"schema,omitempty"`
		Example json.RawMessage    `json:"example,omitempty"`
	}
	response struct {
		Ref         string            `json:"$ref,omitempty"`
		Description string            `json:"description,omitempty"`
		Headers     map[string]header `json:"headers,omitempty"`
		Content     map[string]media  `json:"content,omitempty"`
	}
	header struct {
		Ref         string             `json:"$ref,omitempty"`
		Description string             `json:"description,omitempty"`
		Required    bool               `json:"required,omitempty"`
		Schema      *jsonschema.Schema `json:"schema,omitempty"`
	}
	components struct {
		Schemas   jsonschema.Properties     `json:"schemas"`
		Responses map[string]response       `json:"responses"`
		Headers   map[string]header         `json:"headers"`
		Schemes   map[string]securityScheme `json:"securitySchemes"`
	}
	securityScheme struct {
		Type        string `json:"type"`
		Scheme      string `json:"scheme,omitempty"`
		Description string `json:"description"`
	}
)

const apiAbout = `The sidecar decides whether a request may pass. An application or a gateway asks it by POST /v1/decisions.

Each path names the listeners that serve it, by the addresses that the listeners have by default. The listener of metrics
is off by default; it serves /metrics, /livez, /readyz, /openapi.json and /.

Where the configuration of a listener names caller keys, a call sends one as Authorization: Bearer KEY; probes, events,
/openapi.json and / need none. A listener may ask for a client certificate too.

JSON is read strictly: duplicate members, unknown members, wrong types and invalid UTF-8 are refused. An object of an answer
may gain members. Another method than those described here is 405, and Allow has the methods. Headers over
limits.header_bytes are 431, and what is no HTTP request is 400, both in plain text.`

// Description returns the OpenAPI 3.1 description of all listeners, indented, the same bytes each time.
func Description() []byte {
	d := description{
		OpenAPI: "3.1.0",
		Info: info{
			Title: "sidecar", Summary: "Authorization decisions over HTTP", Description: apiAbout,
			License: license{"Apache License 2.0", "Apache-2.0"}, Version: "1",
		},
		Docs:     docs{"https://github.com/authz-sidecar/sidecar/blob/main/docs/api.md"},
		Servers:  servers("api"),
		Security: []map[string][]string{{}, {"callerKey": {}}, {"clientCertificate": {}}},
		Tags: []tag{
			{"decisions", "Whether a request may pass, and why."},
			{"operations", "The state of the sidecar, and its caches."},
			{"events", "What authorization servers send when sessions and tokens are over."},
			{"description", "This API."},
		},
		Paths: map[string]pathItem{},
		Components: components{Schemas: described(), Responses: map[string]response{}, Headers: headers(),
			Schemes: map[string]securityScheme{
				"callerKey": {"http", "bearer", "A key of the listener's bearer_keys_file. It is the caller's own: " +
					"the token that is asked about goes into the body."},
				"clientCertificate": {"mutualTLS", "", "A certificate that the listener's tls.client_ca_file signed."},
			}},
	}
	for _, o := range operations() {
		item := pathItem{Servers: servers(o.listeners...), Parameters: o.parameters}
		if o.method == http.MethodPost {
			item.Post = o.object(d.Components.Responses)
		} else {
			item.Get = o.object(d.Components.Responses)
		}
		if o.head {
			item.Head = o.headObject()
		}
		d.Paths[o.path] = item
	}
	return encode(d)
}

// encode never fails: a description holds nothing but texts, and examples that a test reads.
func encode(d description) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(d)
	return b.Bytes()
}
