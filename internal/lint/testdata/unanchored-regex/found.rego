allow if regex.match("^/a$|/b$", input.request.path)

# ---

allow if regex.match("^/a", input.request.path)

# ---

allow if regex.match("api", input.token.audiences[_])
