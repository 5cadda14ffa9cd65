package extauthz

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// query is the question of a check. What Envoy can send, and has no meaning for a policy, the Point refuses: then it
// is an event of the decision log like any other.
func query(attributes *authv3.AttributeContext) (authz.Query, error) {
	asked, source := attributes.GetRequest().GetHttp(), attributes.GetSource()
	request := authz.Request{
		Method:            asked.GetMethod(),
		URL:               target(asked),
		SourceIP:          source.GetAddress().GetSocketAddress().GetAddress(),
		ClientCertificate: source.GetCertificate(),
	}
	request.Headers = headers(asked)
	if asked.GetScheme() == "" && asked.GetHost() != "" {
		request.Headers["host"] = []string{asked.GetHost()}
	}
	request.Body = asked.GetBody()
	if raw := asked.GetRawBody(); len(raw) > 0 {
		request.Body += string(raw) // Envoy fills one of the two
	}
	request.HasBody = request.Body != ""
	request.BodyPartial = bodyIsPartial(asked, request)
	context, err := facts(attributes)
	return authz.Query{Request: request, Context: context}, err
}

// noTarget is a request target that the Point refuses: it is no path.
const noTarget = "*"

// target is the URL of a request. Host and path are only joined where no reader can find their border elsewhere.
func target(r *authv3.AttributeContext_HttpRequest) string {
	if !strings.HasPrefix(r.GetPath(), "/") || strings.ContainsAny(r.GetHost(), "/?#\\") {
		return noTarget
	}
	if r.GetScheme() == "" {
		return r.GetPath()
	}
	return r.GetScheme() + "://" + r.GetHost() + r.GetPath()
}

// headers are those of a request by lower-case names, without the pseudo-header fields of HTTP/2. Envoy sends them in
// one of two forms. In the one, it has joined the values of a name by commas; in the other (encode_raw_headers) each
// field stands by itself.
func headers(r *authv3.AttributeContext_HttpRequest) map[string][]string {
	sent, raw := r.GetHeaders(), r.GetHeaderMap().GetHeaders()
	out := make(map[string][]string, len(sent)+len(raw))
	values := make([]string, 0, len(sent)+len(raw)) // of all names
	add := func(name, value string) {
		if strings.HasPrefix(name, ":") {
			return
		}
		name = httpuri.Lower(name)
		if before, again := out[name]; again {
			out[name] = append(before, value)
			return
		}
		n := len(values)
		values = append(values, value)
		out[name] = values[n : n+1 : n+1]
	}
	for name, value := range sent {
		add(name, value)
	}
	for _, h := range raw {
		add(h.GetKey(), valueOf(h))
	}
	return out
}

func valueOf(h *corev3.HeaderValue) string {
	if raw := h.GetRawValue(); len(raw) > 0 {
		return string(raw)
	}
	return h.GetValue()
}

// bodyIsPartial reports whether the body of r is only the beginning of that which the upstream will get.
func bodyIsPartial(r *authv3.AttributeContext_HttpRequest, sent authz.Request) bool {
	return door.SaysPartialBody(sent.Headers) || sent.HasBody && r.GetSize() > int64(len(sent.Body))
}
