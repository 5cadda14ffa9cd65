package native

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// The parts of an OpenAPI description that this API needs. Maps are written in the order of their keys.
type (
	document struct {
		OpenAPI    string                `json:"openapi"`
		Info       info                  `json:"info"`
		Docs       docs                  `json:"externalDocs"`
		Servers    []server              `json:"servers"`
		Security   []map[string][]string `json:"security"`
		Tags       []description.Tag     `json:"tags"`
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
	pathItem struct {
		Servers    []server                `json:"servers,omitempty"`
		Parameters []description.Parameter `json:"parameters,omitempty"`
		Get        *operationObject        `json:"get,omitempty"`
		Head       *operationObject        `json:"head,omitempty"`
		Post       *operationObject        `json:"post,omitempty"`
		Put        *operationObject        `json:"put,omitempty"`
		Delete     *operationObject        `json:"delete,omitempty"`
		Options    *operationObject        `json:"options,omitempty"`
	}
	body struct {
		Required bool                         `json:"required"`
		Content  map[string]description.Media `json:"content"`
	}
	operationObject struct {
		// Servers are those of an operation that fewer listeners have than others of its path.
		Servers     []server                        `json:"servers,omitempty"`
		ID          string                          `json:"operationId"`
		Tags        []string                        `json:"tags"`
		Summary     string                          `json:"summary"`
		Description string                          `json:"description,omitempty"`
		Security    *[]map[string][]string          `json:"security,omitempty"`
		Parameters  []description.Parameter         `json:"parameters,omitempty"`
		Body        *body                           `json:"requestBody,omitempty"`
		Responses   map[string]description.Response `json:"responses"`
	}
	components struct {
		Schemas   jsonschema.Properties           `json:"schemas"`
		Responses map[string]description.Response `json:"responses"`
		Headers   map[string]description.Header   `json:"headers"`
		Schemes   map[string]securityScheme       `json:"securitySchemes"`
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

// Description returns the OpenAPI 3.1 description of all listeners, indented, the same bytes each time: of this door,
// and of those that are mounted on its listeners.
func Description(mounted []description.Door) []byte {
	d := document{
		OpenAPI: "3.1.0",
		Info: info{
			Title: "sidecar", Summary: "Authorization decisions over HTTP", Description: apiAbout,
			License: license{"Apache License 2.0", "Apache-2.0"}, Version: "1",
		},
		Docs:     docs{"https://github.com/authz-sidecar/sidecar/blob/main/docs/api.md"},
		Servers:  servers("api"),
		Security: []map[string][]string{{}, {"callerKey": {}}, {"clientCertificate": {}}},
		Tags: []description.Tag{
			{Name: "decisions", Description: "Whether a request may pass, and why."},
			{Name: "operations", Description: "The state of the sidecar, and its caches."},
			{Name: "events", Description: "What authorization servers send when sessions and tokens are over."},
			{Name: "description", Description: "This API."},
		},
		Paths: map[string]pathItem{},
		Components: components{Schemas: described(), Responses: map[string]description.Response{}, Headers: headers(),
			Schemes: map[string]securityScheme{
				"callerKey": {"http", "bearer", "A key of the listener's bearer_keys_file. It is the caller's own: " +
					"the token that is asked about goes into the body."},
				"clientCertificate": {"mutualTLS", "", "A certificate that the listener's tls.client_ca_file signed."},
			}},
	}
	for _, m := range mounted {
		d.Tags = append(d.Tags, m.Tags...)
		d.Components.Schemas = append(d.Components.Schemas, m.Schemas...)
	}
	slices.SortFunc(d.Components.Schemas, func(a, b jsonschema.Property) int {
		return strings.Compare(a.Name, b.Name)
	})
	for _, o := range operations(mounted) {
		item, ok := d.Paths[o.Path]
		if !ok {
			item = pathItem{Servers: servers(o.Listeners...), Parameters: parametersIn(o, "path")}
		}
		described := objectOf(o, d.Components.Responses)
		if own := servers(o.Listeners...); !slices.Equal(own, item.Servers) {
			described.Servers = own
		}
		item.add(o, described)
		d.Paths[o.Path] = item
	}
	return encode(d)
}

// parametersIn are those of an operation in one place: path or query.
func parametersIn(o description.Operation, place string) []description.Parameter {
	return slices.DeleteFunc(slices.Clone(o.Parameters), func(p description.Parameter) bool { return p.In != place })
}

// add adds an operation to its path.
func (i *pathItem) add(o description.Operation, described *operationObject) {
	switch o.Method {
	case http.MethodGet:
		i.Get = described
	case http.MethodPut:
		i.Put = described
	case http.MethodDelete:
		i.Delete = described
	case http.MethodOptions:
		i.Options = described
	default:
		i.Post = described
	}
	if o.Head {
		i.Head = headObject(o)
	}
}

// encode never fails: a description holds nothing but texts, and examples that a test reads.
func encode(d document) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(d)
	return b.Bytes()
}
