package notes_test

import data.notes

writer := {"scopes": ["notes:read", "notes:write"], "tenant": "acme", "subject": {"id": "alice"}}

add(tenant) := {"kind": "request", "method": "tools/call", "tool": "add_note", "arguments": {"tenant": tenant}}

test_own_notes_are_added if {
	answer := notes.decision with input.mcp as add("acme") with input.token as writer
	answer.allow
	answer.upstream_headers == {"x-subject": "alice", "x-tenant": "acme"}
}

test_notes_of_others_are_not if {
	answer := notes.decision with input.mcp as add("globex") with input.token as writer
	answer == {"allow": false, "reasons": [{"code": "forbidden_call", "message": "this call is not allowed"}]}
}

test_what_is_no_message_is_refused if not notes.decision.allow with input as {"version": 1, "token": writer}
