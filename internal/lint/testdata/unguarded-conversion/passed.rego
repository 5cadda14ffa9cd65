valid if is_string(input.context.at)

allow if {
	valid
	time.parse_rfc3339_ns(input.context.at) > 1
}

# ---

allow if to_number("5") < input.token.age

# ---

allow if net.cidr_contains("10.0.0.0/8", input.request.source_ip)

# ---

allow if regex.match("^a$", input.request.query.q[0])
