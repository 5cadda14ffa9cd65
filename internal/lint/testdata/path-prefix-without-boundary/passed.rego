blocked if startswith(input.request.path, "/admin")

allow if not blocked

# ---

allow if not startswith(input.request.path, "/admin")

# ---

allow if startswith(input.request.path, "/")
