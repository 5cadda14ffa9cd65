# METADATA
# title: Orders
# description: |
#   Lets a request through when it takes a route of routes/data.yaml and its token meets all that the route asks for.
#   data.sidecar is the library inside the binary: "sidecar library" lists it.
package authz

import data.sidecar.audience
import data.sidecar.routes
import data.sidecar.scopes
import data.sidecar.tenant

# METADATA
# title: Decision
# description: The answer to a request. What is not allowed is denied, with a reason.
# entrypoint: true
decision := {"allow": true, "upstream_headers": {"X-Subject": subject}} if {
	allowed
} else := {"allow": false, "reasons": [reason]}

allowed if {
	asked := routes.route
	routes.sound(asked)
	input.token.active
	audience.accepted(asked.audience)
	tenant.kept(asked.tenant)
	scopes.granted(asked.scopes)
}

reason := {"code": "no_route", "message": "there is no such route"} if {
	not routes.exists
} else := {"code": "insufficient_scope", "message": "the token lacks a scope of this route"} if {
	not scopes.granted(routes.route.scopes)
} else := {"code": "denied", "message": "the token is not for this route"}

# The header is always sent, so that a client's own never passes for it.
default subject := ""

subject := input.token.subject.id
