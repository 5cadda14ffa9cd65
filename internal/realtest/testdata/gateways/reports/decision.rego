# METADATA
# title: Reports
# description: What a route of Envoy with a policy of its own asks. It has more to tell Envoy.
package reports

# METADATA
# title: Decision
# description: Allows with instructions for Envoy.
# entrypoint: true
decision := {
	"allow": true,
	"upstream_headers": {"X-Subject": input.token.subject.id, "X-Tenant": "", "X-Seen": json.marshal(seen)},
	"context": {"envoy": {
		"headers_to_remove": ["Authorization"],
		"query_parameters_to_set": {"tenant": "a b&c=d"},
		"query_parameters_to_remove": ["admin"],
	}},
} if {
	input.token.active
} else := {"allow": false}

seen := {"extensions": input.context.envoy.context_extensions, "body": object.get(input.request, "body", null)}
