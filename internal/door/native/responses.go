package native

import (
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

func servers(listeners ...string) []server {
	var out []server
	for _, l := range listeners {
		switch l {
		case "api":
			out = append(out, server{"http://127.0.0.1:8181", "the api listener"})
		case "admin":
			out = append(out, server{"http://127.0.0.1:8282", "the admin listener"})
		}
	}
	return out
}

// objectOf describes o. shared holds the answers that operations have in common; o adds its own.
func objectOf(o description.Operation, shared map[string]description.Response) *operationObject {
	out := &operationObject{ID: o.ID, Tags: []string{o.Tag}, Summary: o.Summary, Description: o.About,
		Parameters: parametersIn(o, "query"), Responses: responses(o)}
	if o.Needs != description.CallerKey {
		out.Security = &[]map[string][]string{{}}
	}
	if o.Body != nil {
		out.Body = &body{Required: true, Content: o.Body}
	}
	for status, r := range out.Responses {
		if status < "300" {
			continue
		}
		out.Responses[status] = description.Response{Ref: "#/components/responses/" + share(shared, r, status, o.ID)}
	}
	return out
}

// share returns the name of r among those that are shared, and adds it unless it is there.
func share(shared map[string]description.Response, r description.Response, status, id string) string {
	for name, known := range shared {
		if reflect.DeepEqual(known, r) {
			return name
		}
	}
	name := "Answer" + status
	if _, taken := shared[name]; taken {
		name += "-" + id
	}
	shared[name] = r
	return name
}

// headObject describes HEAD: the same answers, without bodies.
func headObject(o description.Operation) *operationObject {
	out := objectOf(o, map[string]description.Response{})
	out.ID, out.Summary = out.ID+"Head", out.Summary+", without the body"
	out.Responses = map[string]description.Response{}
	for status, r := range responses(o) {
		out.Responses[status] = description.Response{Description: r.Description}
	}
	return out
}

func responses(o description.Operation) map[string]description.Response {
	out := map[string]description.Response{}
	for _, a := range o.Answers {
		status, r := strconv.Itoa(a.Status), responseOf(a)
		if known, ok := out[status]; ok {
			maps.Copy(known.Content, r.Content)
			continue
		}
		out[status] = r
	}
	for status, codes := range codesOf(o) {
		out[strconv.Itoa(status)] = errorResponse(status, codes)
	}
	if o.Refused != nil {
		o.Refused(out)
	}
	byHTTPServer(out)
	return out
}

// byHTTPServer adds what net/http answers before this door sees a call.
func byHTTPServer(answers map[string]description.Response) {
	answers["431"] = description.Text("Headers are over limits.header_bytes.")
	bad, ok := answers["400"]
	if !ok {
		bad = description.Text("This is no HTTP request.")
	}
	bad.Content["text/plain"] = description.Media{}
	answers["400"] = bad
}

func responseOf(a description.Answer) description.Response {
	r := description.Response{Description: a.About, Headers: map[string]description.Header{"Cache-Control": noStore()}}
	if a.CacheControl != "" {
		r.Headers["Cache-Control"] = description.Header{Required: true, Description: "Caches may keep the answer.",
			Schema: &jsonschema.Schema{Type: "string", Const: a.CacheControl}}
	}
	if a.MediaType != "" {
		r.Content = map[string]description.Media{a.MediaType: {Schema: a.Schema}}
	}
	return r
}

func noStore() description.Header { return description.Header{Ref: "#/components/headers/NoStore"} }

func headers() map[string]description.Header {
	return map[string]description.Header{
		"NoStore": {Description: "No answer is kept.", Required: true,
			Schema: &jsonschema.Schema{Type: "string", Const: "no-store"}},
		"CallerChallenge": {Description: "The listener wants a caller key.", Required: true,
			Schema: &jsonschema.Schema{Type: "string", Const: callerChallenge}},
		"RetryAfter": {Description: "Seconds to wait.", Required: true, Schema: &jsonschema.Schema{Type: "integer"}},
	}
}

// errorResponse describes the call errors of one status.
func errorResponse(status int, codes []string) description.Response {
	var about []string
	for _, code := range codes {
		about = append(about, "`"+code+"`: "+codeNamed(code).about+".")
	}
	r := description.Response{
		Description: strings.Join(about, "\n"),
		Headers:     map[string]description.Header{"Cache-Control": noStore()},
		Content: map[string]description.Media{"application/json": {Schema: &jsonschema.Schema{
			Ref: description.SchemaRefs + "Error", Properties: jsonschema.Properties{
				{Name: "error", Schema: jsonschema.Schema{
					Properties: jsonschema.Properties{{Name: "code", Schema: jsonschema.Schema{Enum: codes}}},
				}}},
		}}},
	}
	switch status {
	case http.StatusBadRequest: // net/http has no such header
		delete(r.Headers, "Cache-Control")
	case http.StatusUnauthorized:
		r.Headers["WWW-Authenticate"] = description.Header{Ref: "#/components/headers/CallerChallenge"}
	case http.StatusTooManyRequests:
		r.Headers["Retry-After"] = description.Header{Ref: "#/components/headers/RetryAfter"}
	}
	return r
}
