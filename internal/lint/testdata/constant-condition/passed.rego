f("a", 1) := true

allow if f("a", input.token.age)

# ---

allow := true if input.token.active

# ---

allow if count(input.token.scopes) >= 1

# ---

allow if count(input.token.roles) > 0
