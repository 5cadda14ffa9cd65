# METADATA
# title: Authorization
# description: A first policy. It wants scope read to look, and scope write for everything else.
package authz

# METADATA
# title: Decision
# description: The answer to a request. Whatever is not allowed is denied, and the client is told which scope would help.
# entrypoint: true
decision := {"allow": true, "upstream_headers": identity} if {
	input.token.active
	needed in input.token.scopes
} else := {"allow": false, "reasons": reasons, "challenge": {"error": "insufficient_scope", "scope": [needed]}}

default needed := "write"

needed := "read" if input.request.method in {"GET", "HEAD", "OPTIONS"}

reasons := [{"code": "insufficient_scope", "message": sprintf("%s is needed", [needed])}]

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
