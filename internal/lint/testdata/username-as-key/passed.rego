name := input.token.subject.username

allow if input.token.active

# ---

allow if input.token.subject.username
