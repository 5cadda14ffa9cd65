# METADATA
# title: Authorization
# description: Lets a request through when it takes a route of data.routes and meets everything that the route asks for.
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

	# A bundle may freeze what it calls maintenance; without the bundle nothing is frozen.
	not data.example.maintenance.frozen
} else := {"allow": false, "reasons": reasons, "challenge": challenge} if {
	challenge
} else := {"allow": false, "reasons": reasons}

# Most routes have these keys and no others, which one comparison shows.
allowed if {
	{"id": _, "scopes": needed, "audience": ours, "tenant": rule} = routes.route
	input.token.active
	not misused
	audience.accepted(ours)
	tenant.kept(rule)
	scopes.granted(needed)
}

allowed if {
	routes.sound(routes.route)
	input.token.active
	not misused
	audience.accepted(routes.route.audience)
	tenant.kept(routes.route.tenant)
	scopes.granted(routes.route.scopes)
	not lacks_role
	not lacks_login
}

allowed if {
	routes.open(routes.route)
	not misused
}

# Only access tokens open doors. The sidecar itself refuses the others; this is the second lock.
misused if input.token.kind in {"refresh", "id"}

lacks_role if {
	roles := routes.route.roles
	not login.in_role(roles)
}

lacks_login if {
	acr_values := routes.route.acr_values
	not login.by(acr_values)
}

lacks_login if {
	max_age := routes.route.max_age
	not login.within(max_age)
}

# METADATA
# title: Identity
# description: Who asks, for the upstream. Every header is always there, so that nobody's own can pass for it.
identity := {"X-Subject": subject, "X-Client-Id": client, "X-Tenant": own, "X-Scopes": concat(" ", input.token.scopes)} if {
	subject := input.token.subject.id
	client := input.token.client_id
	own := input.token.tenant
} else := {
	"X-Subject": object.get(input.token, ["subject", "id"], ""),
	"X-Client-Id": object.get(input.token, "client_id", ""),
	"X-Tenant": object.get(input.token, "tenant", ""),
	"X-Scopes": concat(" ", input.token.scopes),
}
