allow if input.request.method in {"GET", "POST"}

# ---

allow if input.token.client_id in {"Web", "app"}
