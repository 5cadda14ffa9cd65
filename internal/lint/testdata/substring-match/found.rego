allow if contains(concat(" ", input.token.scopes), "orders")

# ---

allow if contains(input.token.claims.roles, "admin")
