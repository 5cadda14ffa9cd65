flags[name] if some name in data.names

allow if flags.a

# ---

names := data.names

allow if names

# ---

allow if {
	held := {scope | some scope in input.token.scopes}
	count(held & {"read"}) > 0
}

# ---

allow if {
	held := {scope | some scope in input.token.scopes}
	held & {"read"} == {"read"}
}
