package resourcemetadata

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// The identifiers of the operations.
const (
	idRoot = "resourceMetadata"
	idPath = "resourceMetadataOfPath"
)

// elsewhere are what clients ask of the resource when they take its host for an authorization server, as the official
// ones of MCP do where they find no metadata.
var elsewhere = []struct{ id, method, path, summary string }{
	{"noAuthorizationServer", http.MethodGet, "/.well-known/oauth-authorization-server",
		"No metadata of an authorization server"},
	{"noOpenIDProvider", http.MethodGet, "/.well-known/openid-configuration", "No metadata of an OpenID provider"},
	{"noRegistration", http.MethodPost, "/register", "No registration of clients"},
}

const tag = "Protected resources"

func described() description.Door {
	out := description.Door{Tags: []description.Tag{{Name: tag,
		Description: "Metadata of protected resources (RFC 9728), for clients. It is public."}}}
	of := jsonschema.Schema{Type: "string"}
	path := description.Parameter{Name: "path", In: "path", Required: true, Schema: of, Example: "mcp",
		Description: "Path of the resource, without the slash at its beginning."}
	for _, at := range []struct {
		id, path, summary string
		parameters        []description.Parameter
	}{
		{idRoot, resource.WellKnown, "Metadata of the resource at the root", nil},
		{idPath, resource.WellKnown + "/{path}", "Metadata of the resource at a path",
			[]description.Parameter{path}},
	} {
		get := description.Operation{
			Method: http.MethodGet, Path: at.path, Listeners: []string{"api"}, ID: at.id, Tag: tag,
			Summary: at.summary,
			About:   "The resource is chosen by host and path, of those in `resources` of the configuration.",
			Needs:   description.NoName, Head: true, Parameters: at.parameters, OwnErrors: true,
			Answers: []description.Answer{
				{Status: http.StatusOK, About: "The metadata.", MediaType: "application/json",
					Schema: &jsonschema.Schema{Type: "object"}, CacheControl: kept},
				{Status: http.StatusNotFound, About: "No resource has its metadata here.",
					MediaType: "application/json", Schema: &jsonschema.Schema{Type: "object"}},
			},
		}
		preflight := get
		preflight.Method, preflight.ID, preflight.Head = http.MethodOptions, at.id+"Preflight", false
		preflight.Summary, preflight.About = "Preflight of browsers", "Scripts of every page may read the metadata."
		preflight.Answers = []description.Answer{{Status: http.StatusNoContent, About: "They may."}}
		out.Operations = append(out.Operations, get, preflight)
	}
	for _, at := range elsewhere {
		out.Operations = append(out.Operations, description.Operation{
			Method: at.method, Path: at.path, Listeners: []string{"api"}, ID: at.id, Tag: tag, Summary: at.summary,
			About: "Clients that find no metadata of the resource look here. The sidecar issues no tokens.",
			Needs: description.NoName, Head: at.method == http.MethodGet, OwnErrors: true,
			Answers: []description.Answer{{Status: http.StatusNotFound, About: "An error as OAuth has it.",
				MediaType: "application/json", Schema: &jsonschema.Schema{Type: "object"}}},
		})
	}
	return out
}
