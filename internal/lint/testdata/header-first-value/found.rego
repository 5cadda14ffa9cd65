allow if {
	tenant := input.request.headers["x-tenant"][0]
	tenant == input.token.tenant
}
