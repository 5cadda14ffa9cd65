decision := {"allow": true, "upstream_headers": headers}

headers := {"X-Name": name}

name := sprintf("%s", [input.token.claims.name])

# ---

decision := {"allow": true, "response_headers": {"X-Path": [input.request.path]}}
