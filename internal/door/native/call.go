package native

import (
	"net/http"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// call is the body of POST /v1/decisions and an item of a batch. A member that is null counts as absent.
type call struct {
	Request *callRequest   `json:"request" schema:"required" doc:"The request that is asked about."`
	Token   *string        `json:"token" schema:"filled" doc:"The token, when it is not in request.headers.authorization."`
	Context jsontext.Value `json:"context" doc:"Handed to the policy as input.context."`
}

type callRequest struct {
	Method            string              `json:"method" schema:"required" doc:"The method, a token of RFC 9110."`
	URL               string              `json:"url" schema:"required" doc:"The request target as it arrived, never decoded: r.RequestURI in Go, RAW_URI or REQUEST_URI in WSGI, raw_path and query_string in ASGI, req.originalUrl in Express, getRequestURI() and getQueryString() in servlets. Absolute with http or https, or from the path on; at most 16 KiB, without fragment."`
	Headers           map[string][]string `json:"headers" doc:"Every value of every header, by names in any case."`
	SourceIP          string              `json:"source_ip" doc:"The address of the client."`
	ClientCertificate string              `json:"client_certificate" doc:"The client's certificate in PEM, as it is or URL-encoded; read when proof.mtls.from is request."`
	Body              *string             `json:"body" doc:"Policies see it only when input.body_bytes says so."`
}

// batchCall is the body of POST /v1/decisions/batch. The members beside the items are defaults of the items; a member
// of an item replaces the default whole.
type batchCall struct {
	call
	Items []call `json:"items" schema:"required" doc:"The questions, at most limits.batch_items."`
}

// ParseCall reads the body of POST /v1/decisions.
func ParseCall(body []byte) (authz.Query, error) {
	if q, ok := plainCall(body); ok {
		return q, nil
	}
	return parseCall(body)
}

// parseCall reads the body of any call by reflection. Its errors say what is wrong with it.
func parseCall(body []byte) (authz.Query, error) {
	var in call
	if err := door.Decode(body, &in); err != nil {
		return authz.Query{}, err
	}
	return in.query("")
}

// or fills the absent members of in with those of base.
func (in call) or(base call) call {
	if in.Request == nil {
		in.Request = base.Request
	}
	if in.Token == nil {
		in.Token = base.Token
	}
	if k := in.Context.Kind(); k == absent || k == null {
		in.Context = base.Context
	}
	return in
}

// The kinds of a member without a value.
const (
	absent = jsontext.Kind(0)
	null   = jsontext.Kind('n')
)

// check reports the first fault of the members that are present. at is the JSON pointer of the call in its body.
func (in call) check(at string) error {
	switch {
	case in.Request != nil && in.Request.Method == "":
		return missing(at+"/request/method", `want the method of the request, such as "GET"`)
	case in.Request != nil && in.Request.URL == "":
		return missing(at+"/request/url", `want the request target as it arrived, such as "/orders/42?expand=items"`)
	case in.Token != nil && *in.Token == "":
		return missing(at+"/token", "the token is empty: without a token, leave the member out")
	}
	switch k := in.Context.Kind(); {
	case k == absent || k == null:
		return nil
	case k != '{':
		return door.NewCallError(http.StatusBadRequest, "wrong_type",
			door.WrongType(reflect.TypeFor[jsontext.Value](), k), at+"/context")
	}
	return readable(in.Context, at+"/context")
}

func missing(pointer, wanted string) error {
	return door.NewCallError(http.StatusBadRequest, "missing_member", wanted, pointer)
}

// readable refuses JSON that policies and masks cannot read. at is its JSON pointer.
func readable(v jsontext.Value, at string) error {
	switch f := jsonbound.Check(v); {
	case f == nil:
		return nil
	case f.Cause == jsonbound.TooDeep:
		return door.NewCallError(http.StatusBadRequest, "too_deep", "the member "+f.Cause, at)
	default:
		return door.NewCallError(http.StatusBadRequest, "number_out_of_range", "the member "+f.Cause, at+string(f.At))
	}
}

// query turns a call into a query. at is the JSON pointer of the call in its body.
func (in call) query(at string) (authz.Query, error) {
	if in.Request == nil {
		return authz.Query{}, missing(at+"/request", `want an object such as {"method": "GET", "url": "/orders/42"}`)
	}
	if err := in.check(at); err != nil {
		return authz.Query{}, err
	}
	q := authz.Query{Request: authz.Request{
		Method:            in.Request.Method,
		URL:               in.Request.URL,
		Headers:           door.LowerNames(in.Request.Headers),
		SourceIP:          in.Request.SourceIP,
		ClientCertificate: in.Request.ClientCertificate,
	}}
	if in.Request.Body != nil {
		q.Request.Body, q.Request.HasBody = *in.Request.Body, true
	}
	if in.Token != nil {
		q.Token = secret.New(*in.Token)
	}
	if in.Context.Kind() == '{' {
		q.Context = in.Context
	}
	return q, nil
}
