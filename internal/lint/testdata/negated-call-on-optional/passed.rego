allow if not input.token.tenant == "initech"

# ---

blocked if not input.token.tenant in {"a"}

blocked if not input.token.tenant

allow if not blocked

# ---

allow if {
	input.token.tenant
	not input.token.tenant in {"a"}
}
