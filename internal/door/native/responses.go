package native

import (
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"

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

// object describes o. shared holds the answers that operations have in common; o adds its own.
func (o operation) object(shared map[string]response) *operationObject {
	out := &operationObject{ID: o.id, Tags: []string{o.tag}, Summary: o.summary, Description: o.about,
		Responses: o.responses()}
	if o.needs != callerKey {
		out.Security = &[]map[string][]string{{}}
	}
	if o.body != nil {
		out.Body = &body{Required: true, Content: o.body}
	}
	for status, r := range out.Responses {
		if status < "300" {
			continue
		}
		out.Responses[status] = response{Ref: "#/components/responses/" + share(shared, r, status, o.id)}
	}
	return out
}

// share returns the name of r among those that are shared, and adds it unless it is there.
func share(shared map[string]response, r response, status, id string) string {
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

// headObject is that of HEAD: the same answers, without bodies.
func (o operation) headObject() *operationObject {
	out := o.object(map[string]response{})
	out.ID, out.Summary = out.ID+"Head", out.Summary+", without the body"
	out.Responses = map[string]response{}
	for status, r := range o.responses() {
		out.Responses[status] = response{Description: r.Description}
	}
	return out
}

func (o operation) responses() map[string]response {
	out := map[string]response{}
	for _, a := range o.answers {
		status, r := strconv.Itoa(a.status), a.response()
		if known, ok := out[status]; ok {
			maps.Copy(known.Content, r.Content)
			continue
		}
		out[status] = r
	}
	for status, codes := range o.codes() {
		out[strconv.Itoa(status)] = errorResponse(status, codes)
	}
	if o.refused != nil {
		o.refused(out)
	}
	byHTTPServer(out)
	return out
}

// byHTTPServer adds what net/http answers before this door sees a call.
func byHTTPServer(answers map[string]response) {
	answers["431"] = plain("Headers are over limits.header_bytes.")
	bad, ok := answers["400"]
	if !ok {
		bad = plain("This is no HTTP request.")
	}
	bad.Content["text/plain"] = media{}
	answers["400"] = bad
}

func (a answerOf) response() response {
	r := response{Description: a.about, Headers: map[string]header{"Cache-Control": noStore()}}
	if a.mediaType != "" {
		r.Content = map[string]media{a.mediaType: {Schema: a.schema}}
	}
	return r
}

func noStore() header { return header{Ref: "#/components/headers/NoStore"} }

func headers() map[string]header {
	return map[string]header{
		"NoStore": {Description: "No answer is kept.", Required: true,
			Schema: &jsonschema.Schema{Type: "string", Const: "no-store"}},
		"CallerChallenge": {Description: "The listener wants a caller key.", Required: true,
			Schema: &jsonschema.Schema{Type: "string", Const: callerChallenge}},
		"RetryAfter": {Description: "Seconds to wait.", Required: true, Schema: &jsonschema.Schema{Type: "integer"}},
	}
}

// errorResponse describes the call errors of one status.
func errorResponse(status int, codes []string) response {
	var about []string
	for _, code := range codes {
		about = append(about, "`"+code+"`: "+codeNamed(code).about+".")
	}
	r := response{
		Description: strings.Join(about, "\n"),
		Headers:     map[string]header{"Cache-Control": noStore()},
		Content: map[string]media{"application/json": {Schema: &jsonschema.Schema{
			Ref: schemaRefs + "Error", Properties: jsonschema.Properties{{Name: "error", Schema: jsonschema.Schema{
				Properties: jsonschema.Properties{{Name: "code", Schema: jsonschema.Schema{Enum: codes}}},
			}}},
		}}},
	}
	switch status {
	case http.StatusBadRequest: // net/http has no such header
		delete(r.Headers, "Cache-Control")
	case http.StatusUnauthorized:
		r.Headers["WWW-Authenticate"] = header{Ref: "#/components/headers/CallerChallenge"}
	case http.StatusTooManyRequests:
		r.Headers["Retry-After"] = header{Ref: "#/components/headers/RetryAfter"}
	}
	return r
}
