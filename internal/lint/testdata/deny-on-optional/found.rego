deny if input.request.headers["x-level"][0] != "2"

allow if not deny

# ---

deny if {
	tenant := input.token.tenant
	not tenant in data.tenants
}

allow if not deny

# ---

default allow := false

allow := true if {
	count(violations) == 0
}

violations contains 1 if input.token.auth.level < 2
