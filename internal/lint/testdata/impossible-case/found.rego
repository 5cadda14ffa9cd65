allow if lower(input.request.host) in {"api.example", "API.example"}

# ---

allow if upper(input.token.client_id) == "web"
