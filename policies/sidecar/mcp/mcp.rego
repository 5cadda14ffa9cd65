# METADATA
# title: Model Context Protocol
# description: |
#   Which messages to an MCP server may pass. Tables of tools look like
#   {"add_note": {"scopes": ["notes:write"], "own": ["tenant"]}}.
package sidecar.mcp

import data.sidecar.scopes
import data.sidecar.tenant

# METADATA
# title: Frame
# description: The message opens, lists, keeps or ends a session, and calls nothing. Clients end when one is refused.
frame if input.mcp.kind in {"notification", "response", "stream", "session_end"}

frame if {
	input.mcp.kind == "request"
	input.mcp.method in {
		"initialize", "server/discover", "ping", "tools/list", "prompts/list", "resources/list", "resources/templates/list",
		"tasks/list",
	}
}

# METADATA
# title: Call
# description: 'The message calls a tool of a table, has its scopes, and each argument in "own" is the tenant of the token.'
callable(tools) if {
	row := tools[called]
	scopes.granted(row.scopes)
	owned(row)
}

# METADATA
# title: Missing scopes
# description: The scopes that the call of a tool of a table lacks, and that would let it pass. Undefined when more is amiss.
missing(tools) := lacking if {
	row := tools[called]
	owned(row)
	lacking := scopes.missing(row.scopes)
	count(lacking) > 0
}

called := input.mcp.tool if {
	input.mcp.kind == "request"
	input.mcp.method == "tools/call"
}

# owned is true where every argument that names a tenant names that of the token. A message that was read from headers
# has no arguments.
owned(row) if {
	own := object.get(row, "own", [])
	is_array(own)
	every name in own { tenant.own(input.mcp.arguments[name]) }
}
