allow if startswith(input.request.path, "/orders/")

# ---

allow if input.request.path in {"/", "/a*b", "/v1/orders:cancel"}

# ---

allow if input.request.segments == ["orders", "a:b"]

# ---

allow if glob.match("/orders/*", ["/"], input.request.path)

# ---

allow if input.request.host in {"api.example", "2001:db8::1"}

# ---

allow if "orders read" in input.token.roles

# ---

allow if sprintf("/orders/%s", [input.token.tenant]) == input.request.path
