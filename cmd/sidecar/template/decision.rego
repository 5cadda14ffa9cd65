# METADATA
# title: Authorization
# description: |
#   Lets a request through when it takes a route of data.routes and its token meets all that the route asks for.
#   data.sidecar is the library inside the binary: "sidecar library" lists it.
package authz

import data.sidecar.audience
import data.sidecar.login
import data.sidecar.routes
import data.sidecar.scopes
import data.sidecar.tenant

# METADATA
# title: Decision
# description: The answer to a request. Whatever is not allowed is denied, with the reasons and with what would help.
# entrypoint: true
decision := {"allow": true, "upstream_headers": identity} if {
	allowed
} else := {"allow": false, "reasons": reasons, "challenge": challenge} if {
	challenge
} else := {"allow": false, "reasons": reasons}

# What your API asks besides the route belongs here, and a reason for it below: in "lacking".
allowed if {
	asked := routes.route
	routes.sound(asked)
	input.token.active
	audience.accepted(asked.audience)
	tenant.kept(asked.tenant)
	scopes.granted(asked.scopes)
	count(lacking) == 0
}

# A route that is anonymous and asks for nothing.
allowed if routes.open(routes.route)

reasons := [obstacle] if {
	obstacle
} else := [reason | some reason in lacking]

# obstacle ends the look at a request: more reasons would not help the client.
obstacle := {"code": "no_route", "message": "there is no such route"} if {
	not routes.exists
} else := {"code": "no_credential", "message": "the request carries no token"} if {
	not input.token.active
} else := {"code": "wrong_audience", "message": "the token was issued for another audience"} if {
	not audience.accepted(routes.route.audience)
}

lacking contains {"code": "wrong_tenant", "message": "the token belongs to another tenant"} if {
	not tenant.kept(routes.route.tenant)
}

lacking contains {"code": "insufficient_scope", "message": message} if {
	not scopes.granted(routes.route.scopes)
	message := sprintf("scope needed: %s", [concat(" ", scopes.missing(routes.route.scopes))])
}

lacking contains {"code": "missing_role", "message": sprintf("role needed: %s", [concat(" or ", roles)])} if {
	roles := routes.route.roles
	not login.in_role(roles)
}

lacking contains {"code": "insufficient_user_authentication", "message": "a stronger login is needed"} if {
	acr_values := routes.route.acr_values
	not login.by(acr_values)
}

lacking contains {"code": "insufficient_user_authentication", "message": "a more recent login is needed"} if {
	max_age := routes.route.max_age
	not login.within(max_age)
}

# challenge is what the client can do. Without one, nothing that it can do helps.
challenge := {"error": "invalid_token"} if {
	obstacle.code == "wrong_audience"
} else := {"error": "insufficient_scope", "scope": routes.route.scopes} if {
	codes == {"insufficient_scope"}
} else := object.union(
	{"error": "insufficient_user_authentication"},
	object.filter(routes.route, {"acr_values", "max_age"}),
) if {
	codes == {"insufficient_user_authentication"}
}

codes := {reason.code | some reason in reasons}

# Set on the request that goes on. They are always sent, so that a client's own never pass for them.
# One subject is one X-Issuer, X-Subject-Type and X-Subject together.
identity := {"X-Issuer": issuer, "X-Subject-Type": subject_type, "X-Subject": subject, "X-Client-Id": client_id}

default issuer := ""

issuer := input.token.issuer

default subject_type := ""

subject_type := input.token.subject.type

default subject := ""

subject := input.token.subject.id

default client_id := ""

client_id := input.token.client_id
