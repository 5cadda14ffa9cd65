allow if count(input.token.scopes) >= 0

# ---

allow if 0 <= count(input.token.roles)

# ---

allow if count(input.token.roles) > -1
