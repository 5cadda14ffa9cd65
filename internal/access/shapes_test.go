package access_test

// shapes are policies of other styles than the shipped ones.
var shapes = map[string]map[string]string{
	"roles": {"p.rego": `package authz

default decision := false

decision if {
	some role in input.token.roles
	some grant in data.grants[role]
	grant.method == input.request.method
	startswith(input.request.path, grant.prefix)
}
`, "grants/data.yaml": `
clerk: [{method: GET, prefix: /orders}]
boss: [{method: GET, prefix: /orders}, {method: POST, prefix: /orders}]
`},
	"attributes": {"p.rego": `package authz

default decision := {"allow": false}

decision := {"allow": true} if {
	input.request.method == "POST"
	input.token.auth.level >= data.login.level
	to_number(input.request.query.amount[0]) <= limit
	input.token.tenant == input.request.headers["x-tenant"][0]
	input.token.client_id != input.context.owner
}

limit := 1000 if {
	"large" in input.token.scopes
} else := 100
`, "login/data.yaml": "level: 2\n"},
	"clock": {"p.rego": `package authz

default decision := false

decision if {
	[hour, _, _] := time.clock(time.now_ns())
	hour >= 8
	hour < 18
	(time.now_ns() / 1000000000) - input.token.auth.time < 600
}

decision if {
	"night" in input.token.groups
	input.token.expires_at > (time.now_ns() / 1000000000) + 60
}
`},
	"sets": {"p.rego": `package authz

decision := {"allow": allow, "reasons": deny}

default allow := false

allow if count(deny) == 0

deny contains "scope" if not "orders" in input.token.scopes

deny contains "tenant" if not input.token.tenant in data.tenants

deny contains "net" if not net.cidr_contains("10.0.0.0/8", input.request.source_ip)
`, "tenants/data.yaml": "[acme, globex]\n"},
	"negation": {"p.rego": `package authz

default decision := false

decision if {
	"orders" in input.token.scopes
	not blocked
	not foreign
}

blocked if input.token.client_id in data.blocked

blocked if {
	input.token.subject.type == "client"
	not trusted
}

trusted if input.token.client_id in data.trusted

foreign if {
	some country in input.request.headers["x-country"]
	not country in data.countries
}
`, "data.yaml": "blocked: [evil]\ntrusted: [batch]\ncountries: [de, fr]\n"},
	"functions": {"p.rego": `package authz

default decision := false

decision if rank(input.token) >= 2

decision if {
	rank(input.token) == 1
	owns(input.token.subject.id, input.request.segments)
}

rank(token) := 3 if {
	"root" in token.roles
} else := 2 if {
	"staff" in token.roles
} else := 1 if {
	token.active
} else := 0

owns(who, segments) if {
	segments[0] == "users"
	segments[1] == who
}
`},
	"patterns": {"p.rego": `package authz

default decision := false

decision if {
	some permission in input.token.permissions
	glob.match(permission, [":"], wanted)
}

decision if {
	regex.match("^svc-[a-z]{3,8}$", input.token.client_id)
	startswith(input.request.path, "/internal/")
}

decision if {
	endswith(input.token.subject.username, "@acme.example")
	input.request.segments[0] == "staff"
}

wanted := concat(":", [lower(input.request.method), input.request.segments[0]]) if count(input.request.segments) > 0
`},
	"every": {"p.rego": `package authz

default decision := false

needed := {"a", "b"}

decision if {
	input.request.method == "GET"
	every scope in needed { scope in input.token.scopes }
	every group in input.token.groups { not startswith(group, "ext-") }
}

decision if {
	input.request.method == "PUT"
	held := {scope | some scope in input.token.scopes}
	count(needed - held) == 0
}
`},
	"else": {"p.rego": `package authz

decision := {"allow": false, "reasons": ["frozen"]} if {
	input.token.tenant in data.frozen
	input.request.method != "GET"
} else := {"allow": true} if {
	"orders" in input.token.scopes
	level == "high"
} else := {"allow": false}

level := "high" if {
	input.token.auth.level > 5
} else := "high" if {
	input.token.auth.acr == "mfa"
} else := "low"
`, "frozen/data.yaml": "[initech]\n"},
	"answer": {"p.rego": `package authz

default decision := {"allow": false}

decision := {"allow": true, "upstream_headers": {"X-Subject": input.token.subject.id, "X-Tenant": tenant}} if {
	"orders" in input.token.scopes
}

tenant := input.token.tenant if input.token.tenant != ""
`},
	"walk": {"p.rego": `package authz

default decision := false

decision if {
	walk(input.token.claims, [path, value])
	path[count(path) - 1] == "role"
	value == "admin"
}
`},
	"with": {"p.rego": `package authz

default decision := false

decision if base with input.token.scopes as input.token.permissions

base if "x" in input.token.scopes
`},
	"reference": {"p.rego": `package authz

default decision := false

decision := data.rules.answer if input.request.method == "GET"
`, "r.rego": `package rules

default answer := {"allow": false}

answer := {"allow": true} if input.token.issuer == "https://id.example"
`},
	// Arguments are evaluated before calls: what is absent fails there, under "not" too.
	"absent arguments": {"p.rego": `package authz

default decision := false

decision if {
	input.request.method == "GET"
	not ours(input.token.tenant)
}

decision if {
	input.request.method == "PUT"
	issuer := input.token.issuer
	not issuer == "https://bad.example"
	not input.token.subject.type == "client"
	not startswith(input.token.client_id, "x")
}

decision if {
	input.request.method == "POST"
	anything(input.token.client_id)
	not count(input.token.audiences) == 1
}

decision if {
	input.request.method == "POST"
	name := input.token.subject.username
	not input.token.tenant == name
}

ours(tenant) if tenant == "acme"

anything(_) := true
`},
	"several files": {"p.rego": `package authz

decision := {"allow": true} if {
	allowed
} else := {"allow": false, "reasons": [reason]}

default reason := "denied"
`, "q.rego": `package authz

default allowed := false

allowed if "orders" in input.token.scopes

allowed if not strict

strict if input.token.tenant != "acme"

reason := "scope" if not "orders" in input.token.scopes
`},
	"tiers": {"p.rego": `package authz

default decision := false

decision if tier(input.token) == "gold"

decision if {
	tier(input.token) == "silver"
	input.request.method == "GET"
}

default tier(_) := "none"

tier(token) := data.tiers[token.client_id]

default level := 0

level := input.token.auth.level

decision if {
	level > 3
	level <= 5
}
`, "tiers/data.yaml": "web: gold\napp: silver\n"},
}
