default decision := {"allow": true}

# ---

default allow := true

allow := false if count(deny) > 0

deny contains 1 if input.token.stale
