// Package answer makes the answers to Envoy's checks. Envoy lets a request pass when a CheckResponse has no status,
// and when its status is OK beside a denied_response. So an Answer can be made by Allow and Refuse alone, and it is
// sent by this package: no other has a CheckResponse in its hands.
package answer

import (
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Answer is what Envoy is told of one check. The zero Answer refuses. It is immutable.
type Answer struct{ response *authv3.CheckResponse }

// Allowed is what happens to a request that passes.
type Allowed struct {
	// Set are headers for the upstream, which replace those of the client. A header without a value is removed.
	Set []authz.Header
	// Remove are further headers that do not reach the upstream.
	Remove []string
	// Response are headers that the client gets besides those of the upstream.
	Response []authz.Header
	// SetQuery are parameters of the query, which replace those of the client, and RemoveQuery the names of those that
	// do not reach the upstream. Names and values are as in the query: encoded.
	SetQuery    []Parameter
	RemoveQuery []string
	// Metadata is handed to later filters and to the access log; it may be nil.
	Metadata *structpb.Struct
}

// Parameter is one parameter of a query, encoded.
type Parameter struct{ Name, Value string }

// Refused is what the client of a request gets that does not pass.
type Refused struct {
	Kind authz.Kind
	// Status is that of HTTP, from 400 to 599. Any other becomes 500.
	Status int
	// Headers go to the client. Those that describe the body are left out.
	Headers []authz.Header
	// Type is the media type of Body.
	Type     string
	Body     []byte
	Metadata *structpb.Struct
}

// Allow returns the answer that lets a request pass. It refuses instead when a header cannot be sent as it is.
func Allow(a Allowed) Answer {
	made := new(allowing)
	ok := &made.ok
	ok.QueryParametersToRemove = a.RemoveQuery
	if len(a.Set) > 0 {
		ok.Headers = make([]*corev3.HeaderValueOption, 0, len(a.Set))
	}
	for _, h := range a.Set {
		value := strings.Join(h.Values, ", ") // of two fields Envoy sends the last alone
		switch {
		case !sendable(h.Name, value):
			return Answer{}
		case strings.Trim(value, ", ") == "":
			ok.HeadersToRemove = append(ok.HeadersToRemove, httpuri.Lower(h.Name))
		default:
			ok.Headers = append(ok.Headers, option(h.Name, value, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
		}
	}
	for _, name := range a.Remove {
		if !httpuri.IsToken(name) {
			return Answer{}
		}
		ok.HeadersToRemove = append(ok.HeadersToRemove, httpuri.Lower(name))
	}
	for _, p := range a.SetQuery {
		ok.QueryParametersToSet = append(ok.QueryParametersToSet,
			&corev3.QueryParameter{Key: p.Name, Value: p.Value})
	}
	ok.ResponseHeadersToAdd = responseHeaders(a.Response)
	made.status.Code = int32(codes.OK)
	made.http.OkResponse = ok
	response := &made.response
	response.Status, response.HttpResponse, response.DynamicMetadata = &made.status, &made.http, a.Metadata
	return Answer{response}
}

// allowing is the memory of an answer that lets a request pass.
type allowing struct {
	response authv3.CheckResponse
	status   status.Status
	http     authv3.CheckResponse_OkResponse
	ok       authv3.OkHttpResponse
}

// Refuse returns an answer that lets no request pass, whatever r is.
func Refuse(r Refused) Answer {
	if r.Status < 400 || r.Status > 599 {
		r.Status = http.StatusInternalServerError
	}
	denied := &authv3.DeniedHttpResponse{
		Status: &typev3.HttpStatus{Code: typev3.StatusCode(r.Status)}, Body: strings.ToValidUTF8(string(r.Body), "?"),
	}
	for _, h := range r.Headers {
		if name := httpuri.Lower(h.Name); name == "content-type" || name == "cache-control" {
			continue
		}
		for _, v := range h.Values {
			denied.Headers = appendSendable(denied.Headers, h.Name, v)
		}
	}
	denied.Headers = appendSendable(denied.Headers, "cache-control", "no-store")
	if r.Type != "" {
		denied.Headers = appendSendable(denied.Headers, "content-type", r.Type)
	}
	return Answer{&authv3.CheckResponse{
		Status:          &status.Status{Code: int32(codeOf(r.Kind))},
		HttpResponse:    &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied},
		DynamicMetadata: r.Metadata,
	}}
}

// codeOf is the code of a refusal, which is never OK. Envoy takes any of them as a denial: none depends on its
// failure_mode_allow.
func codeOf(k authz.Kind) codes.Code {
	switch k {
	case authz.Unauthenticated:
		return codes.Unauthenticated
	case authz.Malformed:
		return codes.InvalidArgument
	case authz.Unavailable:
		return codes.Unavailable
	case authz.Misconfigured:
		return codes.FailedPrecondition
	case authz.Internal:
		return codes.Internal
	case authz.Allow, authz.Deny:
	}
	return codes.PermissionDenied
}

// Stream is the side of a call that answers.
type Stream interface{ SendMsg(message any) error }

// Send answers a call by a. It is the one place where a CheckResponse leaves the sidecar.
func (a Answer) Send(to Stream) error {
	if a.response == nil {
		a = Refuse(Refused{Kind: authz.Internal})
	}
	return to.SendMsg(a.response)
}

// Passes reports whether a lets the request pass.
func (a Answer) Passes() bool {
	return a.response != nil && a.response.Status.GetCode() == int32(codes.OK)
}

// responseHeaders are fields for the client of an allowed request. DPoP-Nonce stands once in a response (RFC 9449
// section 8.2); any other is a field beside those of the upstream.
func responseHeaders(headers []authz.Header) []*corev3.HeaderValueOption {
	var out []*corev3.HeaderValueOption
	for _, h := range headers {
		for _, v := range h.Values {
			out = appendSendable(out, h.Name, v)
		}
		if n := len(out); n > 0 && strings.EqualFold(h.Name, "DPoP-Nonce") {
			out[n-1].AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		}
	}
	return out
}

func appendSendable(to []*corev3.HeaderValueOption, name, value string) []*corev3.HeaderValueOption {
	if !sendable(name, value) {
		return to
	}
	return append(to, option(name, value, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD))
}

func option(
	name, value string, action corev3.HeaderValueOption_HeaderAppendAction,
) *corev3.HeaderValueOption {
	made := new(struct {
		option corev3.HeaderValueOption
		header corev3.HeaderValue
	})
	made.header.Key, made.header.Value = httpuri.Lower(name), value
	made.option.Header, made.option.AppendAction = &made.header, action
	return &made.option
}

// sendable reports whether a field can be sent: its name is a token, and its value has no control character and is
// UTF-8, as a string of protobuf is.
func sendable(name, value string) bool {
	return httpuri.IsToken(name) && strings.ToValidUTF8(value, "") == value &&
		!strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
