package migrate

// plugins are plugins of proxies that many have written alike.
var plugins = []*product{
	{
		name: "traefik", title: "Traefik, plugins for OPA", marks: []string{"parameters"},
		headers: headerStyle{names: canonicalNames, values: arrayValues},
		rows: []row{
			{"host", "input.request.host", "without a port here"},
			{"method", "input.request.method", ""},
			{"path", isPath, "an array there"},
			{"parameters", "input.request.query", ""},
			{"query", "input.request.query", ""},
			{"headers", isHeaders, ""},
			{"body", isParsedBody, "JSON"},
		},
	},
	{
		name: "traefik-hub", title: "Traefik Hub",
		headers: headerStyle{names: canonicalNames, join: ","},
		rows: []row{{"headers", isHeaders, ""}, {"method", "input.request.method", ""},
			{"path", "input.request.path", ""}},
	},
	{
		name: "caddy", title: "Caddy, caddy-opa", marks: []string{"body_json"},
		headers: headerStyle{names: canonicalNames, values: arrayValues}, entry: "allow",
		rows: []row{
			{"method", "input.request.method", ""},
			{"path", "input.request.path", ""},
			{"headers", isHeaders, ""},
			{"body_json", isParsedBody, "null there without a body"},
		},
	},
}

// applications are documents that applications put together, and OPA's own examples.
var applications = []*product{
	{
		name: "apim", title: "Azure API Management", marks: []string{"route", "operation"},
		headers: headerStyle{values: anyValues, join: ","},
		rows: []row{
			{"token", isToken, ""},
			{"route", "input.request.path", ""},
			{"operation", "input.request.method", ""},
		},
	},
	{
		name: "aws", title: "AWS Lambda authorizers", marks: []string{"role_name", "Usergroup"},
		headers: headerStyle{values: anyValues, join: ","},
		rows: []row{
			{"operation", "input.request.method", ""},
			{"resource", "input.request.path", ""},
			{"Usergroup", "input.token.groups", "one group there, all groups of the token here"},
		},
	},
	{
		name: "authzen", title: "AuthZEN", marks: []string{"subject.id", "subject.type", "subject.properties",
			"action.name",
			"resource.id", "resource.type", "resource.properties"},
		rows: []row{
			{"subject", "input.context.subject", "the caller has to send it"},
			{"action", "input.context.action", "the caller has to send it"},
			{"resource", "input.context.resource", "the caller has to send it"},
			{"context", "input.context.context", "the caller has to send it"},
		},
	},
	{
		name: "opal", title: "OPAL", rows: append([]row{
			{"action", "input.context.action", "the caller has to send it"},
			{"type", "input.context.type", "the caller has to send it"},
			{"object", "input.context.object", "the caller has to send it"},
		}, commonRows...),
		headers: headerStyle{values: anyValues, join: ","},
	},
	{
		name: "opa-http", title: "OPA's HTTP API tutorial and its kin", marks: []string{"method", "path", "user"},
		rows: commonRows, headers: headerStyle{names: sentNames, values: anyValues, join: ","}, trims: true,
	},
	{
		name: "application", title: "an application's own input", rows: commonRows,
		headers: headerStyle{names: sentNames, values: anyValues, join: ","},
	},
	{
		name: ours, title: "the sidecar", marks: []string{"request.segments", "request.source_ip", "request.raw_path",
			"token.scopes", "token.subject", "token.active", "token.present", "token.audiences", "token.binding"},
	},
}

// commonRows are the members that many applications call alike. Whatever else there is comes with the context.
var commonRows = []row{
	{"method", "input.request.method", ""},
	{"path", isPath, ""},
	{"host", "input.request.host", ""},
	{"scheme", "input.request.scheme", ""},
	{"headers", isHeaders, ""},
	{"query", isQuery, ""},
	{"params", isNothing, "take the part of the path: input.request.segments[i]"},
	{"body", isBody, "with input.body_bytes"},
	{"parsed_body", isParsedBody, ""},
	{"client_ip", "input.request.source_ip", ""},
	{"source_ip", "input.request.source_ip", ""},
	{"remote_addr", "input.request.source_ip", "without a port"},
	{"request.method", "input.request.method", ""},
	{"request.path", isPath, ""},
	{"request.host", "input.request.host", ""},
	{"request.scheme", "input.request.scheme", ""},
	{"request.headers", isHeaders, ""},
	{"request.query", isQuery, ""},
	{"request.body", isBody, "with input.body_bytes"},
	{"user", isUser, "who says it has changed: the token does"},
	{"username", "input.token.subject.username", "who says it has changed: the token does"},
	{"subject", "@leaf:input.token.subject.id", "who says it has changed: the token does"},
	{"Subject", "@leaf:input.token.subject.id", "who says it has changed: the token does"},
	{"sub", "@leaf:input.token.subject.id", "who says it has changed: the token does"},
	{"roles", "@leaf:input.token.roles", "who says it has changed: the token does"},
	{"Roles", "@leaf:input.token.roles", "who says it has changed: the token does"},
	{"groups", "@leaf:input.token.groups", "who says it has changed: the token does"},
	{"Groups", "@leaf:input.token.groups", "who says it has changed: the token does"},
	{"scopes", "@leaf:input.token.scopes", "who says it has changed: the token does"},
	{"client_id", "input.token.client_id", "who says it has changed: the token does"},
	{"auth.name", "input.token.subject.id", ""},
	{"auth.principal", "input.token.subject.id", ""},
	{"auth.authorities", isAuthority, ""},
	{"auth.token.tokenValue", isToken, ""},
	{"auth.token.claims", "input.token.claims", ""},
	{"token", isToken, ""},
	{"Token", isToken, ""},
	{"token.payload", "input.token.claims", ""},
	{"token.claims", "input.token.claims", ""},
	{"jwt", isToken, ""},
	{"access_token", isToken, ""},
	{"bearer_token", isToken, ""},
	{"encodedJwt", isToken, ""},
}
