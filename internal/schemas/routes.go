package schemas

import "github.com/authz-sidecar/sidecar/internal/jsonschema"

// notLast matches a segment below which there may be others: a text without star, brace and slash, or /* for any one.
const notLast = `^/(\*|[^/*{}]+)$`

// Routes returns the JSON Schema of data.routes, as data.sidecar.routes reads them.
func Routes() []byte {
	texts := func(description string) jsonschema.Schema {
		return jsonschema.Schema{Description: description, Type: "array", Items: &jsonschema.Schema{Type: "string"}}
	}
	end := jsonschema.Schema{Type: "object", MinProps: 1, Properties: methods(), Additional: false,
		Description: "What the end of a path asks for, by method.", Message: message}
	top := jsonschema.Schema{
		Schema: jsonschema.Draft, ID: jsonschema.ID("routes"), Title: "sidecar routes",
		Description: "Routes of an API, data.routes: a key with a slash is a segment, any other a method, in upper " +
			"case.",
		Type: "object", Properties: append(methods(), ends()[1]),
		Patterns:   jsonschema.Properties{{Name: notLast, Schema: ref("segment")}},
		Additional: false, Message: message,
	}
	segment := jsonschema.Schema{
		Description: "A segment of the path: its methods, and the segments below it.",
		Type:        "object", MinProps: 1, Properties: append(methods(), ends()...),
		Patterns:   jsonschema.Properties{{Name: notLast, Schema: ref("segment")}},
		Additional: false, Message: message,
	}
	route := jsonschema.Schema{
		Description: "What a method asks for: either anonymous, or all of id, scopes, audience and tenant.",
		Type:        "object", Additional: false,
		Properties: jsonschema.Properties{
			{Name: "id", Schema: jsonschema.Schema{Type: "string", Description: "Name of the route."}},
			{Name: "anonymous", Schema: jsonschema.Schema{Const: true,
				Description: "For everybody, token or not. Nothing but id may stand beside it."}},
			{Name: "scopes", Schema: texts("Scopes of the token; all of them are needed.")},
			{Name: "audience", Schema: texts("Audiences; the token must name one of them.")},
			{Name: "tenant", Schema: tenant()},
			{Name: "roles", Schema: texts("Roles; one of them is needed.")},
			{Name: "acr_values", Schema: texts("How the user must have logged in (RFC 9470); one of them is needed.")},
			{Name: "max_age", Schema: jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: "3153600000",
				Description: "Seconds since that login, at most."}},
		},
		If: &jsonschema.Schema{Required: []string{"anonymous"}},
		Then: &jsonschema.Schema{Properties: jsonschema.Properties{{Name: "id"}, {Name: "anonymous"}},
			Additional: false},
		Else: &jsonschema.Schema{Required: []string{"id", "scopes", "audience", "tenant"}},
	}
	top.Defs = jsonschema.Properties{
		{Name: "segment", Schema: segment}, {Name: "end", Schema: end}, {Name: "route", Schema: route},
	}
	return top.Encode()
}

// message is what editors say of a key that is neither.
const message = "a key is a method in upper case (GET), or a segment that begins with a slash (/orders); HEAD is " +
	"asked as GET"

func ref(name string) jsonschema.Schema { return jsonschema.Schema{Ref: "#/$defs/" + name} }

func methods() jsonschema.Properties {
	var out jsonschema.Properties
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"} {
		out = append(out, jsonschema.Property{Name: m, Schema: ref("route")})
	}
	return out
}

// ends are the segments that nothing follows.
func ends() jsonschema.Properties {
	return jsonschema.Properties{{Name: "/", Schema: ref("end")}, {Name: "/**", Schema: ref("end")}}
}

func tenant() jsonschema.Schema {
	only := func(name string, value jsonschema.Schema) jsonschema.Schema {
		return jsonschema.Schema{Type: "object", Additional: false, Required: []string{name},
			Properties: jsonschema.Properties{{Name: name, Schema: value}}}
	}
	return jsonschema.Schema{
		Description: "Where the request names the tenant, which must be that of the token: none, {header: " +
			"x-tenant}, or " +
			"{segment: 1}, counted from 0.",
		AnyOf: []jsonschema.Schema{
			{Const: "none"},
			only("header", jsonschema.Schema{Type: "string", Pattern: "^[^A-Z]+$",
				Description: "Name of a header, in lower case; one of input.headers."}),
			only("segment", jsonschema.Schema{Type: "integer", Minimum: "0",
				Description: "Number of a segment of the path, counted from 0."}),
		},
	}
}
