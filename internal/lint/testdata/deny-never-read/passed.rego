deny if input.token.stale

allow if not deny
