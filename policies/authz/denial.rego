package authz

import data.sidecar.audience
import data.sidecar.routes
import data.sidecar.scopes
import data.sidecar.tenant

# METADATA
# title: Reasons
# description: Why the request is denied. Whoever shows a token that is not for this API learns nothing else.
reasons := {obstacle} if {
	obstacle
} else := unmet if {
	count(unmet) > 0
} else := {{"code": "maintenance", "message": "changes are not possible at the moment"}}

# METADATA
# title: Obstacle
# description: The one reason beside which the others do not matter.
obstacle := {"code": "wrong_token_kind", "message": "only an access token is accepted"} if {
	misused
} else := {"code": "no_route", "message": "there is no such route"} if {
	count(routes.place.patterns) == 0
} else := {"code": "ambiguous_route", "message": "several routes match equally well"} if {
	not routes.route
} else := {"code": "invalid_route", "message": sprintf("the route %s has a fault in its data", [routes.pattern])} if {
	not routes.open(routes.route)
	not routes.sound(routes.route)
} else := {"code": "no_credential", "message": "the request carries no token"} if {
	not routes.open(routes.route)
	not input.token.active
} else := {"code": "wrong_audience", "message": "the token was issued for another audience"} if {
	not routes.open(routes.route)
	not audience.accepted(routes.route.audience)
}

unmet contains {"code": "wrong_tenant", "message": "the token belongs to another tenant"} if {
	not routes.open(routes.route)
	not tenant.kept(routes.route.tenant)
}

unmet contains {"code": "insufficient_scope", "message": sprintf("%s %s needed", [concat(" and ", lacking), verb])} if {
	lacking := scopes.missing(routes.route.scopes)
	count(lacking) > 0
	verb := {true: "is", false: "are"}[count(lacking) == 1]
}

unmet contains {"code": "missing_role", "message": sprintf("the role %s is needed", [concat(" or ", routes.route.roles)])} if {
	lacks_role
}

unmet contains {"code": "insufficient_user_authentication", "message": "a stronger or more recent login is needed"} if {
	lacks_login
}

# METADATA
# title: Challenge
# description: What the client must do to be let in. Undefined when nothing that it can do helps.
challenge := {"error": "invalid_token"} if {
	obstacle.code in {"wrong_token_kind", "wrong_audience"}
} else := {"error": "insufficient_scope", "scope": routes.route.scopes} if {
	needs == {"insufficient_scope"}
} else := {"error": "insufficient_scope", "scope": routes.route.scopes} if {
	needs == {"insufficient_scope", "insufficient_user_authentication"}
} else := object.union(
	{"error": "insufficient_user_authentication"},
	object.filter(routes.route, {"acr_values", "max_age"}),
) if {
	needs == {"insufficient_user_authentication"}
}

needs := {reason.code | some reason in reasons}
