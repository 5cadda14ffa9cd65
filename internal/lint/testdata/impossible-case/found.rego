allow if lower(input.request.host) in {"api.example", "API.example"}

# ---

allow if upper(input.token.client_id) == "web"

# ---

allow if input.request.method in {"Get", "POST"}

# ---

allow if not input.request.host in ["Api.example", "www.example"]
