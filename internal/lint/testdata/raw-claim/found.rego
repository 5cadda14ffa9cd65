claims := input.token.claims

allow if "api" in claims.aud
