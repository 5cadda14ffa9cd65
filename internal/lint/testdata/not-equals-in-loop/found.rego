allow if {
	some role in input.token.roles
	role != "guest"
}
