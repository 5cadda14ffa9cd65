names := {"a", "b"}

allow if names

# ---

allow if {
	held := {scope | some scope in input.token.scopes}
	both := held & {"read"}
	both
}

# ---

allow if {s | some s in input.token.scopes} & {"read"}

# ---

allow if {
	held := {scope | some scope in input.token.scopes; scope == "read"}
	held
}
