package mutants

// The files that are edited.
const (
	decision    = "policies/authz/decision.rego"
	denial      = "policies/authz/denial.rego"
	login       = "policies/sidecar/login/login.rego"
	scopes      = "policies/sidecar/scopes/scopes.rego"
	tenant      = "policies/sidecar/tenant/tenant.rego"
	audience    = "policies/sidecar/audience/audience.rego"
	routes      = "policies/sidecar/routes/routes.rego"
	tree        = "policies/routes/data.yaml"
	frozen      = "bundles/example/data.json"
	maintenance = "bundles/example/maintenance.rego"
)

// changes are edits that change a decision.
func changes() []Mutant {
	return []Mutant{
		{Name: "an inactive token passes", File: decision, Want: Wider,
			From: `	input.token.active
	not misused
`,
			To: `	not misused
`},
		{Name: "the audience is not asked for", File: decision, Want: Wider, Usual: true,
			From: `	audience.accepted(asked.audience)
`,
			To: "", Without: `import data.sidecar.audience
`},
		{Name: "the tenant is not asked for", File: decision, Want: Wider,
			From: `	tenant.kept(asked.tenant)
`,
			To: "", Without: `import data.sidecar.tenant
`},
		{Name: "scopes are not asked for", File: decision, Want: Wider,
			From: `	scopes.granted(asked.scopes)
`,
			To: "", Without: `import data.sidecar.scopes
`},
		{Name: "extras are not asked for", File: decision, Want: Wider,
			From: `	extras_met(asked)
}`,
			To: "}"},
		{Name: "roles are not asked for", File: decision, Want: Wider,
			From: `	not lacks_role
`,
			To: ""},
		{Name: "the login is not asked for", File: decision, Want: Wider,
			From: `	not lacks_login
`,
			To: ""},
		{Name: "nothing is frozen", File: decision, Want: Wider,
			From: `	not data.example.maintenance.frozen
`,
			To: ""},
		{Name: "an ID token passes", File: decision, Want: Wider,
			From: `misused if input.token.kind == "id"
`,
			To: ""},
		{Name: "a refresh token passes and no other does", File: decision, Want: Both,
			From: `input.token.kind == "refresh"`,
			To:   `input.token.kind != "refresh"`},
		{Name: "the role must be absent", File: decision, Want: Both,
			From: `	not login.in_role(roles)`,
			To:   `	login.in_role(roles)`},
		{Name: "the login must be another", File: decision, Want: Both,
			From: `	not login.by(acr_values)`,
			To:   `	login.by(acr_values)`},
		{Name: "the login must be old", File: login, Want: Both,
			From: "<= max_age",
			To:   "> max_age"},
		{Name: "a login of exactly the greatest age is too old", File: login, Want: Narrower, Usual: true,
			From: "<= max_age",
			To:   "< max_age"},
		{Name: "groups count as roles", File: login, Want: Wider,
			From: `	role in input.token.roles`,
			To:   `	role in array.concat(input.token.groups, input.token.roles)`},
		{Name: "a method of the login counts as its class", File: login, Want: Wider,
			From: `	input.token.auth.acr in acr_values
}`,
			To: `	input.token.auth.acr in acr_values
}

by(acr_values) if {
	some way in input.token.auth.amr
	way in acr_values
}`},
		{Name: "a scope that begins like the wanted one is enough", File: scopes, Want: Wider,
			From: "granted([scope]) if scope in input.token.scopes",
			To: `granted([scope]) if {
	some held in input.token.scopes
	startswith(held, scope)
}`},
		{Name: "a scope is enough that the wanted one begins with", File: scopes, Want: Wider,
			From: "granted([scope]) if scope in input.token.scopes",
			To: `granted([scope]) if {
	some held in input.token.scopes
	startswith(scope, held)
}`},
		{Name: "the tenant must be another", File: tenant, Want: Both,
			From: "value == input.token.tenant",
			To:   "value != input.token.tenant"},
		{Name: "one of several values of the header is enough", File: tenant, Want: Wider,
			From: "input.request.headers[name] == [input.token.tenant]",
			To:   "input.token.tenant in input.request.headers[name]"},
		{Name: "the last value of the header is enough", File: tenant, Want: Wider,
			From: "input.request.headers[name] == [input.token.tenant]",
			To:   "input.request.headers[name][count(input.request.headers[name]) - 1] == input.token.tenant"},
		{Name: "another header has the tenant", File: tenant, Want: Both,
			From: `own_header(name) if {
	input.request.headers[name] ==`,
			To: `own_header(_) if {
	input.request.headers["origin"] ==`},
		{Name: "a token without an audience passes", File: audience, Want: Wider,
			From: `	ours[_] == input.token.audiences[_]`,
			To:   `	ours[_] == object.get(input.token, "audiences", ours)[_]`},
		{Name: "HEAD is not asked as GET", File: routes, Want: Narrower,
			From: `input.request.method == "HEAD"`,
			To:   `input.request.method == "HEAD "`},
		{Name: "POST is asked as GET", File: routes, Want: Both,
			From: `input.request.method == "HEAD"`,
			To:   `input.request.method in {"HEAD", "POST"}`},
		{Name: "any one segment may be empty", File: routes, Want: Wider,
			From: `} else := at["/*"] if {
	segment != ""
}`,
			To: `} else := at["/*"]`},
		{Name: "a segment may have more at its end", File: routes, Want: Wider,
			From: `at[concat("", ["/", segment])]`,
			To:   `at[concat("", ["/", trim_right(segment, "x")])]`},
		{Name: "segments are compared in lower case", File: routes, Want: Wider,
			From: `at[concat("", ["/", segment])]`,
			To:   `at[concat("", ["/", lower(segment)])]`},
		{Name: "a route asks for another scope", File: tree, Want: Both,
			From: "scopes: [reports:read]",
			To:   "scopes: [orders:read]"},
		{Name: "a route asks for no scope", File: tree, Want: Wider,
			From: `id: list_orders
    scopes: [orders:read]`,
			To: `id: list_orders
    scopes: []`},
		{Name: "a route asks for one scope more", File: tree, Want: Narrower,
			From: "scopes: [reports:read]",
			To:   "scopes: [reports:read, orders:read]"},
		{Name: "a route takes another audience too", File: tree, Want: Wider,
			From: `scopes: [reports:read]
        audience: [orders-api]`,
			To: `scopes: [reports:read]
        audience: [orders-api, billing-api]`},
		{Name: "a route is for all tenants", File: tree, Want: Wider,
			From: "tenant: {segment: 1}",
			To:   "tenant: none"},
		{Name: "a route takes the tenant from another segment", File: tree, Want: Both,
			From: "tenant: {segment: 1}",
			To:   "tenant: {segment: 2}"},
		{Name: "a route is for everything below", File: tree, Want: Wider,
			From: `  /*:
    GET:
      id: read_order`,
			To: `  /**:
    GET:
      id: read_order`},
		{Name: "a route is anonymous", File: tree, Want: Wider,
			From: `/healthz:
`,
			To: `/metrics:
  GET: {id: metrics, anonymous: true}

/healthz:
`},
		{Name: "a login may be older", File: tree, Want: Wider,
			From: "max_age: 300",
			To:   "max_age: 900"},
		{Name: "another role is enough", File: tree, Want: Wider,
			From: "roles: [orders-admin]",
			To:   "roles: [orders-admin, orders-clerk]"},
		{Name: "no tenant is frozen", File: frozen, Want: Wider,
			From: `"tenants": ["initech"]`,
			To:   `"tenants": []`},
		{Name: "more paths are frozen", File: frozen, Want: Narrower,
			From: "/orders/archive",
			To:   "/orders"},
		{Name: "what begins like a frozen path is frozen", File: maintenance, Want: Narrower, Usual: true,
			From: `startswith(path, concat("", [top, "/"]))`,
			To:   "startswith(path, top)"},
		{Name: "DELETE is not frozen", File: maintenance, Want: Wider,
			From: `{"GET", "HEAD", "OPTIONS"}`,
			To:   `{"GET", "HEAD", "OPTIONS", "DELETE"}`},
		{Name: "a client has a back door", File: decision, Want: Wider,
			From: `allowed if {
	routes.open`,
			To: `allowed if input.token.client_id == "debugger"

allowed if {
	routes.open`},
		{Name: "a parameter is a back door", File: decision, Want: Wider,
			From: `allowed if {
	routes.open`,
			To: `allowed if {
	input.token.active
	some mode in input.request.query.mode
	mode == "unsafe"
}

allowed if {
	routes.open`},
		{Name: "a claim is a back door", File: decision, Want: Wider, Usual: true,
			From: `allowed if {
	routes.open`,
			To: `allowed if {
	input.token.claims.support == true
	input.token.issued_at < 1600000000
	endswith(input.token.subject.username, "@vendor.example")
}

allowed if {
	routes.open`},
		{Name: "a header is a back door", File: decision, Want: Wider,
			From: `allowed if {
	routes.open`,
			To: "allowed if {\n\tregex.match(`^probe/[0-9]{2}$`, " +
				"input.request.headers[\"user-agent\"][0])\n\tinput.request.method == \"GET\"\n}\n\nallowed if " +
				"{\n\troutes.open"},
		{Name: "the answer is undefined without a tenant", File: decision, Want: Narrower,
			From: `default tenant_id := ""

`,
			To: ""},
		{Name: "the answer allows as far as the token is active", File: decision, Want: Narrower,
			From: `decision := {"allow": true,`,
			To:   `decision := {"allow": input.token.active,`},
		{Name: "a denial has another status", File: decision, Want: Different, Usual: true,
			From: `} else := {"allow": false, "reasons": reasons}`,
			To:   `} else := {"allow": false, "reasons": reasons, "status": 404}`},
		{Name: "a reason has another code", File: denial, Want: Different,
			From: `"code": "wrong_tenant"`,
			To:   `"code": "other_tenant"`},
		{Name: "an upstream header is dropped", File: decision, Want: Different,
			From: `	"X-Client-Id": client_id,
`,
			To: ""},
	}
}
