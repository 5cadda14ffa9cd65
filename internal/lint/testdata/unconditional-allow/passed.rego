allow if ok

ok if input.request.method == "GET"

# ---

decision := result

result := {"allow": allow}

allow if input.token.active
