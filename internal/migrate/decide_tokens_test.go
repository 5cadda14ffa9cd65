package migrate

// jwt says {"sub": "kim", "roles": ["boss"]}.
const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJraW0iLCJyb2xlcyI6WyJib3NzIl19.eA"

const claims = `{"token": {"present": true, "active": true, "claims": {"sub": "kim", "roles": ["boss"]}}, "request": {"headers": {}}}`

const noToken = `{"token": {"present": false, "active": false}, "request": {"headers": {}, "path": "/login", "query": {}}}`

// movedTokens are policies that take tokens apart.
var movedTokens = []moved{
	{
		name: "one part of the decoded token", query: "a.allow", allow: true,
		policy: "package a\nimport rego.v1\ndefault allow := false\nallow if \"boss\" in token.payload.roles\ntoken " +
			":= {\"payload\": io.jwt.decode(input.token)[1]}",
		theirs: `{"token": "` + jwt + `"}`, ours: claims,
	},
	{
		name: "three parts by an equation", query: "a.allow", allow: true,
		policy: "package a\ndefault allow = false\nallow { [header, payload, signature] = io.jwt.decode(" +
			"input.token); payload.sub == \"kim\" }",
		theirs: `{"token": "` + jwt + `"}`, ours: claims,
	},
	{
		name: "two arguments", query: "a.allow", allow: true,
		policy: "package a\ndefault allow = false\nallow { io.jwt.decode(input.token, [header, payload, " +
			"signature]); payload.sub == \"kim\" }",
		theirs: `{"token": "` + jwt + `"}`, ours: claims,
	},
	{
		name: "the text is cut out of the header by a rule and a function", query: "a.allow", allow: true,
		policy: "package a\nimport rego.v1\ndefault allow := false\nallow if claims.sub == \"kim\"\nclaims := " +
			"parse(bearer)\n" +
			"parse(t) := p if { [_, p, _] := io.jwt.decode(t) }\n" +
			"bearer := t if {\n\tv := input.headers.authorization\n\tstartswith(v, \"Bearer \")\n\tt := " +
			"substring(v, 7, -1)\n}",
		theirs: `{"headers": {"authorization": "Bearer ` + jwt + `"}}`, ours: claims,
	},
	{
		name: "the scheme is matched by a pattern", query: "a.allow", allow: true,
		policy: "package a\ndefault allow = false\nallow { [\"Bearer\", t] = split(input.headers.Authorization, \" " +
			"\"); [_, p, _] := io.jwt.decode(t); p.sub == \"kim\" }",
		theirs: `{"headers": {"Authorization": "Bearer ` + jwt + `"}}`, ours: claims,
	},
	{
		name: "the payload is decoded by hand", query: "a.allow", allow: true,
		policy: "package a\nimport rego.v1\ndefault allow := false\nallow if {\n\tparts := split(input.jwt, " +
			"\".\")\n\tcount(parts) == 3\n" +
			"\tp := json.unmarshal(base64url.decode(parts[1]))\n\tp.sub == \"kim\"\n}",
		theirs: `{"jwt": "` + jwt + `"}`, ours: claims,
	},
	{
		name: "a rule for requests without a token", query: "a.allow", allow: true,
		policy: "package a\nimport rego.v1\ndefault allow := false\nallow if { not input.token; input.path == " +
			"\"/login\" }",
		theirs: `{"path": "/login"}`, ours: noToken,
	},
	{
		name: "an empty text is no token", query: "a.allow", allow: false,
		policy: "package a\nimport rego.v1\ndefault allow := false\nallow if input.token != \"\"",
		theirs: `{"token": ""}`, ours: noToken,
	},
	{
		name: "a key that never comes does not allow", query: "a.allow", allow: false,
		policy: "package a\nimport rego.v1\ndefault allow := false\nallow if input.headers[\"x-api-key\"] == \"k\"",
		theirs: `{"headers": {}}`, ours: noToken,
	},
	{
		name: "the header of the token is never there", query: "a.allow", allow: false,
		policy: "package a\nimport rego.v1\ndefault allow := false\nallow if { [h, p, _] := " +
			"io.jwt.decode(input.token); h.alg == \"RS256\"; p.sub == \"kim\" }",
		theirs: `{"token": "` + jwt + `"}`, ours: claims,
	},
	{
		name: "the payload in a header that a proxy made", query: "a.allow", allow: true, opts: Options{From: "envoy"},
		policy: "package a\ndefault allow = false\nallow { c.sub == \"kim\" }\n" +
			"c = p { p := json.unmarshal(base64url.decode(input.attributes.request.http.headers[\"x-jwt-payload\"])) }",
		theirs: `{"attributes": {"request": {"http": {"headers": {"x-jwt-payload": "eyJzdWIiOiJraW0ifQ"}}}}}`,
		ours:   claims,
	},
}
