package native

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// call is the body of POST /v1/decisions and an item of a batch. A member that is null counts as absent.
type call struct {
	Request *callRequest   `json:"request"`
	Token   *string        `json:"token"`
	Context jsontext.Value `json:"context"`
}

type callRequest struct {
	Method            string              `json:"method"`
	URL               string              `json:"url"`
	Headers           map[string][]string `json:"headers"`
	SourceIP          string              `json:"source_ip"`
	ClientCertificate string              `json:"client_certificate"`
	Body              *string             `json:"body"`
}

// batchCall is the body of POST /v1/decisions/batch. The members beside the items are defaults of the items; a member
// of an item replaces the default whole.
type batchCall struct {
	call
	Items []call `json:"items"`
}

// ParseCall reads the body of POST /v1/decisions.
func ParseCall(body []byte) (authz.Query, error) {
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
	missing := func(name string) error {
		return door.NewCallError(http.StatusBadRequest, "missing_member", "the member is missing or empty", at+name)
	}
	switch {
	case in.Request != nil && in.Request.Method == "":
		return missing("/request/method")
	case in.Request != nil && in.Request.URL == "":
		return missing("/request/url")
	case in.Token != nil && *in.Token == "":
		return missing("/token")
	}
	switch k := in.Context.Kind(); {
	case k == absent || k == null:
		return nil
	case k != '{':
		return door.NewCallError(http.StatusBadRequest, "wrong_type", "want an object", at+"/context")
	}
	return readable(in.Context, at+"/context")
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
		return authz.Query{}, door.NewCallError(http.StatusBadRequest, "missing_member",
			"the member is missing or empty", at+"/request")
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
