package migrate

import "slices"

// proxies are Envoy and those that speak its protocol.
var proxies = []*product{
	{
		name: "envoy", title: "opa-envoy-plugin, Istio, Contour, Emissary",
		marks: []string{"attributes", "parsed_path", "parsed_query", "truncated_body"},
		rows:  envoyRows, headers: headerStyle{join: ","},
	},
	{
		name: "skipper", title: "Skipper", rows: envoyRows, headers: headerStyle{join: ", "},
	},
	{
		name: "gloo", title: "Gloo Edge, Gloo Gateway", marks: []string{"http_request", "check_request", "state.jwt"},
		headers: headerStyle{join: ","},
		rows: slices.Concat(envoyHTTP("http_request"), envoyAttributes("check_request.attributes"), []row{
			{"state.jwt", isToken, "an ID token there, the facts of the access token here"},
			{"state", "input.context.state", "the caller has to send it"},
		}),
	},
	{
		name: "authorino", title: "Authorino",
		marks:   []string{"context.request.http", "context.source", "auth.identity", "auth.metadata"},
		headers: headerStyle{join: ","},
		rows: slices.Concat(envoyAttributes("context"), envoyHTTP("request"), []row{
			{"request.url_path", "input.request.path", ""},
			{"request.context_extensions", "input.context.contextExtensions", "the caller has to send it"},
			{"request.referer", "@header:referer", ""},
			{"request.user_agent", "@header:user-agent", ""},
			{"request.grpc.service", "input.request.segments[0]", ""},
			{"request.grpc.method", "input.request.segments[1]", ""},
			{"source.address", "input.request.source_ip", ""},
			{"source.port", isNothing, "the port of the client is not handed on"},
			{"source.principal", isNothing, "the identity of the peer is not handed on"},
			{"auth.identity", "input.token.claims", "what the identity evaluator found"},
			{"auth.metadata", "input.context.metadata", "the caller has to send it"},
			{"metadata", "input.context.metadata", "the caller has to send it"},
			{"auth.authorization", isNothing, "results of other evaluators are not there"},
			{"auth.response", isNothing, "results of other evaluators are not there"},
			{"auth.callbacks", isNothing, "results of other evaluators are not there"},
		}),
	},
	{
		name: "wso2", title: "WSO2 Choreo Connect",
		marks:   []string{"transportHeaders", "requestOrigin", "authenticationContext", "pathTemplate"},
		headers: headerStyle{join: ","},
		rows: []row{
			{"path", isURI, "has the query there, which is apart here"},
			{"vhost", "input.request.host", "without a port here"},
			{"method", "input.request.method", ""},
			{"transportHeaders", isHeaders, ""},
			{"requestOrigin", "input.request.source_ip", ""},
			{"authenticationContext.token", isToken, ""},
			{"httpVersion", isNothing, "the version of HTTP is not handed on"},
		},
	},
}

var envoyRows = slices.Concat(envoyAttributes("attributes"), []row{
	{"parsed_path", isSegments, ""},
	{"parsed_query", "input.request.query", ""},
	{"parsed_body", isParsedBody, "JSON only; forms, multipart and gRPC are not parsed"},
	{"truncated_body", isTruncated, ""},
	{"version.ext_authz", isConstant + "v3", "the version of the protocol there"},
	{"version.encoding", isConstant + "protojson", "the encoding of the protocol there"},
})
