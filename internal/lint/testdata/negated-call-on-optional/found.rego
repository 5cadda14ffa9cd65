allow if not input.token.tenant in {"initech"}

# ---

allow if not startswith(lower(input.request.host), "admin.")

# ---

allow if not f(input.token.client_id)

f(x) if x == "a"
