package lint

import data.lint.lib

findings contains lib.finding(
	"raw-claim", ref.place,
	sprintf("%s is what the server sent, in one of several forms: read %s", [ref.text, members[ref.path[3]]]),
) if {
	lib.policy
	some ref in input.refs["input.token"]
	ref.written
	ref.path[2] == "claims"
	members[ref.path[3]]
}

members := {
	"scope": "input.token.scopes", "scp": "input.token.scopes", "aud": "input.token.audiences", "sub": "input.token.subject.id",
	"iss": "input.token.issuer", "exp": "input.token.expires_at", "iat": "input.token.issued_at", "nbf": "input.token.not_before",
	"jti": "input.token.id", "client_id": "input.token.client_id", "active": "input.token.active", "acr": "input.token.auth.acr",
	"amr": "input.token.auth.amr", "auth_time": "input.token.auth.time", "username": "input.token.subject.username",
	"act": "input.token.actor", "cnf": "input.token.binding", "token_type": "input.token.kind",
}
