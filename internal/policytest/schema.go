package policytest

import "github.com/authz-sidecar/sidecar/internal/jsonschema"

// Schema returns the JSON Schema (draft 2020-12) of suites, indented, the same bytes each time.
func Schema() []byte {
	s := object("A suite of decisions: requests, and what callers must get.", jsonschema.Properties{
		{Name: "suite", Schema: text("Name of the suite.")},
		{Name: "now", Schema: moment("Time at which everything is decided.")},
		{Name: "token", Schema: jsonschema.Schema{Enum: []string{"required", "optional"},
			Description: "In place of decision.token of the configuration."}},
		{Name: "realm", Schema: text("In place of decision.realm of the configuration.")},
		{Name: "issuer", Schema: issuerSchema()},
		{Name: "tokens", Schema: jsonschema.Schema{Type: "object", Additional: tokenSchema(),
			Description: "Tokens by the name that cases give them."}},
		{Name: "defaults", Schema: object("What requests have unless they say otherwise.", jsonschema.Properties{
			{Name: "host", Schema: text("Host of urls that begin with a slash.")},
			{Name: "method", Schema: text("Method.")},
			{Name: "source_ip", Schema: text("Address of the client.")},
			{Name: "headers", Schema: headersSchema("Headers, by name. A request takes one away by an empty list.")},
		})},
		{Name: "cases", Schema: jsonschema.Schema{Type: "array", MinItems: 1, Items: caseSchema(),
			Description: "Requests, and what is expected of each."}},
		{Name: "matrix", Schema: jsonschema.Schema{Type: "object", MinProps: 1, Additional: rowSchema(),
			Description: "Requests by name, and what each token gets: a case each."}},
	})
	s.Schema, s.ID, s.Title = jsonschema.Draft, jsonschema.ID("suite"), "sidecar suite of decisions"
	s.Required = []string{"suite", "now"}
	s.AnyOf = []jsonschema.Schema{{Required: []string{"cases"}}, {Required: []string{"matrix"}}}
	s.Defs = jsonschema.Properties{{Name: "expect", Schema: expectSchema()},
		{Name: "request", Schema: requestSchema()}}
	return s.Encode()
}

func object(description string, members jsonschema.Properties) jsonschema.Schema {
	return jsonschema.Schema{Description: description, Type: "object", Properties: members, Additional: false}
}

// text is what is read as text: YAML needs no quotes about 10.1.2.3 or 404.
func text(description string) jsonschema.Schema {
	return jsonschema.Schema{Description: description, Type: []string{"string", "number", "boolean"}}
}

func texts(description string) jsonschema.Schema {
	item := text("")
	return jsonschema.Schema{Description: description, Type: "array", Items: &item}
}

func moment(description string) jsonschema.Schema {
	return jsonschema.Schema{Description: description + " RFC 3339, such as 2026-11-20T12:00:00Z.", Type: "string",
		Pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$`,
		Message: "a time of RFC 3339, such as 2026-11-20T12:00:00Z"}
}

func anyJSON(description string) jsonschema.Schema {
	return jsonschema.Schema{Description: description, Type: "object", Additional: true}
}

func headersSchema(description string) jsonschema.Schema {
	value := text("")
	value.Type = []string{"string", "number", "boolean", "array"}
	item := text("")
	value.Items = &item
	return jsonschema.Schema{Description: description, Type: "object", Additional: value}
}

func issuerSchema() jsonschema.Schema {
	return jsonschema.Schema{
		Description: "How answers are read: the name of a configured issuer, or its keys. Left out: the configured " +
			"issuer.",
		AnyOf: []jsonschema.Schema{{Type: "string"}, object("", jsonschema.Properties{
			{Name: "dialect", Schema: text("Kind of the authorization server.")},
			{Name: "issuer", Schema: text("Identifier of the issuer, as tokens name it (iss).")},
			{Name: "audience", Schema: texts("Audiences that tokens must name one of.")},
			{Name: "absent_audience", Schema: jsonschema.Schema{Enum: []string{"refuse", "accept"},
				Description: "What becomes of a token without audience."}},
			{Name: "tenant", Schema: texts("JSON pointers to the tenant; the first that leads to one wins.")},
			{Name: "roles", Schema: texts("JSON pointers to roles.")},
		})},
	}
}

func tokenSchema() jsonschema.Schema {
	failing := object("Asking about the token fails.", jsonschema.Properties{
		{Name: "error", Schema: jsonschema.Schema{Enum: []string{"unavailable", "misconfigured"}}}})
	failing.Required = []string{"error"}
	signed := object("The claims of a JWT that is validated locally.", jsonschema.Properties{
		{Name: "jwt", Schema: anyJSON("Claims.")}})
	signed.Required = []string{"jwt"}
	answer := anyJSON("An introspection answer (RFC 7662).")
	answer.Properties = jsonschema.Properties{
		{Name: "active", Schema: jsonschema.Schema{Type: "boolean", Description: "Whether the token may be used."}}}
	answer.MinProps = 1
	return jsonschema.Schema{AnyOf: []jsonschema.Schema{failing, signed, answer},
		Description: "An introspection answer, {jwt: {claims}}, or {error: unavailable}."}
}

func requestSchema() jsonschema.Schema {
	return object("The request that is decided.", jsonschema.Properties{
		{Name: "method", Schema: text("Method; GET when left out.")},
		{Name: "url", Schema: text("Absolute, or from the path on.")},
		{Name: "headers", Schema: headersSchema("Headers, by name: a value, or a list of them.")},
		{Name: "source_ip", Schema: text("Address of the client.")},
		{Name: "body", Schema: text("Payload.")},
	})
}

func refTo(name string) jsonschema.Schema { return jsonschema.Schema{Ref: "#/$defs/" + name} }

// shared are the keys of cases and of rows of a matrix.
func shared() jsonschema.Properties {
	return jsonschema.Properties{
		{Name: "now", Schema: moment("In place of that of the suite.")},
		{Name: "key", Schema: jsonschema.Schema{Enum: []string{keyShown, "withheld"},
			Description: "Whether the client shows the key that the token is bound to (cnf)."}},
		{Name: "entrypoint", Schema: text("Rule that is asked, such as authz/decision.")},
		{Name: "request", Schema: refTo("request")},
		{Name: "context", Schema: anyJSON("What the caller passes to the policy.")},
	}
}

func caseSchema() *jsonschema.Schema {
	s := object("A request, and what is expected.", append(jsonschema.Properties{
		{Name: "name", Schema: text("Name of the case; unique in the suite.")},
		{Name: "token", Schema: text("Name of a token; none when left out.")},
	}, append(shared(), jsonschema.Property{Name: "expect", Schema: refTo("expect")})...))
	s.Required = []string{"name", "expect"}
	return &s
}

func rowSchema() jsonschema.Schema {
	cell := jsonschema.Schema{
		Description: "allow, deny, another kind, a status, the code of a reason, or what expect holds.",
		AnyOf: []jsonschema.Schema{
			{Type: "string", MinLength: 1}, {Type: "integer", Minimum: "200", Maximum: "599"}, refTo("expect"),
		},
	}
	s := object("A request, and what each token gets.", append(shared(), jsonschema.Property{Name: "expect",
		Schema: jsonschema.Schema{Type: "object", MinProps: 1, Additional: cell,
			Description: "By the name of a token; none stands for a request without one."}}))
	s.Required = []string{"request", "expect"}
	return s
}

func expectSchema() jsonschema.Schema {
	s := object("Only what is stated is compared. One of allow and kind is needed.", jsonschema.Properties{
		{Name: "allow", Schema: jsonschema.Schema{Type: "boolean", Description: "Whether the request passes."}},
		{Name: "kind", Schema: jsonschema.Schema{Enum: kindNames(), Description: "How the decision ends."}},
		{Name: "status", Schema: jsonschema.Schema{Type: "integer", Minimum: "200", Maximum: "599",
			Description: "Status of the decision."}},
		{Name: "reasons", Schema: texts("Codes of all reasons, each once, in any order.")},
		{Name: "challenge", Schema: text("The WWW-Authenticate field; none when there must not be one.")},
		{Name: "headers", Schema: headersSchema("Headers for the client; [] when there must not be one.")},
		{Name: "upstream_headers", Schema: headersSchema("Headers for the upstream; [] when there must not be one.")},
		{Name: "context", Schema: anyJSON("Context that callers get, with the obligations.")},
		{Name: "obligations", Schema: jsonschema.Schema{Type: "array", Description: "Obligations; [] for none.",
			Items: &jsonschema.Schema{Type: "object", Additional: true}}},
	})
	s.AnyOf = []jsonschema.Schema{{Required: []string{"allow"}}, {Required: []string{"kind"}}}
	return s
}
