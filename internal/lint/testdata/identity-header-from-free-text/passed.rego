decision := {"allow": true, "upstream_headers": {"X-Scopes": concat(" ", input.token.scopes), "X-Name": base64.encode(input.token.claims.name)}}
