allow if json.unmarshal(input.request.body).ok

# ---

allow if time.parse_rfc3339_ns(input.context.since) > 1

# ---

allow if regex.match(input.request.query.filter[0], "x")

# ---

level := to_number(input.token.claims.level)

allow if level > 1

# ---

allow if to_number(input.request.query.page[0]) < 3

allow if is_string(input.request.query.page[0])
