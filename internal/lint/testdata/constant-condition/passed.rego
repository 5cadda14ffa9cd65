f("a", 1) := true

allow if f("a", input.token.age)

# ---

allow := true if input.token.active
