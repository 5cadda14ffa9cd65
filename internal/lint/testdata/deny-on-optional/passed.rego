deny if input.token.age > 60

allow if not deny

# ---

reasons contains "x" if input.token.auth.level < 2

decision := {"allow": ok, "reasons": reasons}

ok if input.token.active
