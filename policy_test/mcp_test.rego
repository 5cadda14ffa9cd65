package sidecar_test

import data.sidecar.mcp

tools := {
	"list_notes": {"scopes": ["notes:read"]},
	"add_note": {"scopes": ["notes:read", "notes:write"], "own": ["tenant"]},
	"broken": {"scopes": ["notes:read"], "own": "tenant"},
	"open": {},
}

call(tool, arguments) := {"kind": "request", "method": "tools/call", "tool": tool, "arguments": arguments}

test_mcp_frame_passes if {
	every method in ["initialize", "server/discover", "ping", "tools/list"] {
		mcp.frame with input.mcp as {"kind": "request", "method": method}
	}
	every kind in ["notification", "response", "stream", "session_end"] {
		mcp.frame with input.mcp as {"kind": kind}
	}
}

test_mcp_call_is_no_frame if {
	not mcp.frame with input.mcp as call("list_notes", {})
	not mcp.frame with input.mcp as {"kind": "request", "method": "admin/erase"}
	not mcp.frame with input as {"version": 1}
}

test_mcp_call_needs_scopes if {
	mcp.callable(tools) with input.mcp as call("list_notes", {}) with input.token as {"scopes": ["notes:read"]}
	not mcp.callable(tools) with input.mcp as call("list_notes", {}) with input.token as {"scopes": []}
}

test_mcp_call_of_another_tool_is_refused if {
	not mcp.callable(tools) with input.mcp as call("drop", {}) with input.token as {"scopes": ["notes:read"]}
	not mcp.callable(tools) with input.mcp as call("open", {}) with input.token as {"scopes": []}
}

test_mcp_prompt_of_the_name_of_a_tool_is_refused if {
	message := {"kind": "request", "method": "prompts/get", "tool": "list_notes", "arguments": {}}
	not mcp.callable(tools) with input.mcp as message with input.token as {"scopes": ["notes:read"]}
}

writer := {"scopes": ["notes:read", "notes:write"], "tenant": "acme"}

test_mcp_argument_is_the_tenants_own if {
	mcp.callable(tools) with input.mcp as call("add_note", {"tenant": "acme"}) with input.token as writer
	not mcp.callable(tools) with input.mcp as call("add_note", {"tenant": "other"}) with input.token as writer
	not mcp.callable(tools) with input.mcp as call("add_note", {}) with input.token as writer
	not mcp.callable(tools) with input.mcp as call("broken", {"tenant": "acme"}) with input.token as writer
	no_tenant := object.remove(writer, ["tenant"])
	not mcp.callable(tools) with input.mcp as call("add_note", {"tenant": ""}) with input.token as no_tenant
}

test_mcp_message_from_headers_has_no_arguments if {
	message := {"kind": "request", "method": "tools/call", "tool": "add_note", "source": "headers"}
	not mcp.callable(tools) with input.mcp as message with input.token as writer
}

test_mcp_missing_scopes_are_named if {
	reader := {"scopes": ["notes:read"], "tenant": "acme"}
	mcp.missing(tools) == ["notes:write"] with input.mcp as call("add_note", {"tenant": "acme"}) with input.token as reader
	not mcp.missing(tools) with input.mcp as call("add_note", {"tenant": "other"}) with input.token as reader
	not mcp.missing(tools) with input.mcp as call("list_notes", {}) with input.token as reader
}
