# METADATA
# title: Scopes only
# description: 'For servers that name neither audience nor tenant: the scope of the method decides.'
package authz

default decision := {"allow": false}

# METADATA
# title: Decision
# entrypoint: true
decision := {"allow": true} if {
	input.token.active
	input.token.kind in {"access", "unknown"}
	needed in input.token.scopes
} else := {
	"allow": false,
	"reasons": [{"code": "insufficient_scope", "message": "a scope is missing"}],
	"challenge": {"error": "insufficient_scope", "scope": [needed]},
}

needed := "orders:read" if input.request.method == "GET"

needed := "orders:write" if input.request.method == "POST"
