allow if {
	now := time.now_ns()
	now - input.token.auth.time < 300
}

# ---

allow if time.now_ns() - 60 < input.token.claims.exp
