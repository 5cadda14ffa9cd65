# METADATA
# title: Notes
# description: Guards an MCP server. Tools need the scopes of data.tools; what names a tenant must name that of the token.
package notes

import data.sidecar.mcp

# METADATA
# title: Decision
# description: The frame passes with any good token, and calls are decided by the table of tools.
# entrypoint: true
decision := {"allow": true, "upstream_headers": identity} if {
	allowed
} else := {"allow": false, "reasons": [{"code": "more_scope", "message": "the tool needs more scope"}], "challenge": {"scope": mcp.missing(data.tools)}} if {
	mcp.missing(data.tools)
} else := {"allow": false, "reasons": [{"code": "forbidden_call", "message": "this call is not allowed"}]}

allowed if mcp.frame

allowed if mcp.callable(data.tools)

# identity is what the server may know of the caller, instead of the token.
identity["x-subject"] := input.token.subject.id

identity["x-tenant"] := input.token.tenant
