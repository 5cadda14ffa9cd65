# METADATA
# title: Tenant
# description: Keeps the tenants apart. A token without a tenant belongs to none of them.
package sidecar.tenant

import data.sidecar.routes

# METADATA
# title: Kept apart
# description: 'The request keeps to the rule of a route: "none", {"header": name} or {"path": name of a parameter}.'
kept("none")

kept({"header": name}) if own_header(name)

kept({"path": name}) if own(routes.parameters[name])

# METADATA
# title: Same tenant
# description: A value is the tenant of the token.
own(value) if {
	value != ""
	value == input.token.tenant
}

# METADATA
# title: Same tenant in a header
# description: The request has the header once, and it names the tenant of the token.
own_header(name) if {
	input.request.headers[name] == [input.token.tenant]
	input.token.tenant != ""
}
