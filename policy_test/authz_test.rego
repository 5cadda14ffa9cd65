package authz_test

# Rules of the decision over routes of our own, so that the shipped ones may change.

routes := {"/a": {
	"GET": {"id": "r", "scopes": ["a:read", "a:list"], "audience": ["api", "old-api"], "tenant": "none"},
	"POST": {"id": "w", "scopes": [], "audience": ["api"], "tenant": "none", "roles": ["boss", "owner"]},
	"PUT": {"id": "s", "scopes": ["a:write"], "audience": ["api"], "tenant": {"header": "x-tenant"}, "acr_values": ["mfa", "hwk"], "max_age": 60},
	"PATCH": {"id": "m", "scopes": [], "audience": ["api"], "tenant": "none", "max_age": 60},
	"DELETE": {"id": "x", "scopse": ["a:delete"], "audience": ["api"], "tenant": "none"},
	"/*": {"GET": {"id": "t", "scopes": [], "audience": ["api"], "tenant": {"segment": 1}}},
	"/open": {"GET": {"id": "o", "anonymous": true}},
}}

token := {
	"present": true, "active": true, "kind": "access", "scopes": ["a:list", "a:read", "a:write"], "audiences": ["api"], "tenant": "acme",
	"roles": [], "issuer": "https://login.example", "subject": {"id": "alice", "type": "user"}, "client_id": "web",
	"auth": {"acr": "pwd", "time": 1000},
}

now := 1030000000000

ask(method, segments, facts) := asked(method, segments, facts, {})

asked(method, segments, facts, headers) := decision if {
	request := {"method": method, "path": concat("/", array.concat([""], segments)), "segments": segments, "headers": headers}
	decision := data.authz.decision with input as {"request": request, "token": facts}
		with data.routes as routes
		with data.example as {}
		with time.now_ns as now
}

anonymous := {"present": false, "active": false, "scopes": [], "roles": []}

codes(decision) := {reason.code | some reason in decision.reasons}

test_allowed_with_the_identity_of_the_token if {
	ask("GET", ["a"], token) == {"allow": true, "upstream_headers": {
		"X-Issuer": "https://login.example", "X-Subject-Type": "user", "X-Subject": "alice", "X-Client-Id": "web", "X-Tenant": "acme",
		"X-Scopes": "a:list a:read a:write",
	}}
}

test_identity_headers_are_there_when_nothing_is_known if {
	ask("GET", ["a", "open"], anonymous) == {
		"allow": true,
		"upstream_headers": {"X-Issuer": "", "X-Subject-Type": "", "X-Subject": "", "X-Client-Id": "", "X-Tenant": "", "X-Scopes": ""},
	}
}

test_identity_headers_are_there_when_something_is_not_known[member] if {
	some member, headers in {
		"issuer": ["X-Issuer"], "subject": ["X-Subject", "X-Subject-Type"], "client_id": ["X-Client-Id"], "tenant": ["X-Tenant"],
	}
	whole := ask("GET", ["a"], token).upstream_headers
	ask("GET", ["a"], object.remove(token, [member])).upstream_headers == object.union(whole, {header: "" | some header in headers})
}

test_kind_unknown_may_pass if ask("GET", ["a"], object.union(token, {"kind": "unknown"})).allow

test_other_kinds_of_token_never_pass[kind] if {
	some kind in ["refresh", "id"]
	every path in [["a"], ["a", "open"]] {
		decision := ask("GET", path, object.union(token, {"kind": kind}))
		decision.allow == false
		codes(decision) == {"wrong_token_kind"}
		decision.challenge == {"error": "invalid_token"}
	}
}

test_no_route if {
	decision := ask("GET", ["b"], token)
	decision == {"allow": false, "reasons": {{"code": "no_route", "message": "there is no such route"}}}
}

test_no_route_for_the_method if codes(ask("OPTIONS", ["a"], token)) == {"no_route"}

test_misspelt_key_refuses_instead_of_asking_for_less if {
	decision := ask("DELETE", ["a"], token)
	decision.allow == false
	codes(decision) == {"invalid_route"}
	not decision.challenge
}

test_unsound_routes_refuse_everybody[note] if {
	some note, changed in {
		"id is no text": {"id": 1},
		"id is false": {"id": false},
		"scopes are text": {"scopes": "a:read"},
		"audience is an object": {"audience": {"a": "api"}},
		"tenant by two": {"tenant": {"segment": 1, "header": "x-tenant"}},
		"tenant by a negative segment": {"tenant": {"segment": -1}},
		"tenant by a part of a segment": {"tenant": {"segment": 1.5}},
		"tenant by a former key": {"tenant": {"path": "tenant"}},
		"tenant is a number": {"tenant": 1},
		"tenant is null": {"tenant": null},
		"roles are text": {"roles": "boss"},
		"max_age is text": {"max_age": "60"},
		"anonymous with other keys": {"anonymous": true},
		"not anonymous": {"anonymous": false},
	}
	grown := {"/a": {"/*": {"GET": object.union(plain, changed)}}}
	request := {"method": "GET", "path": "/a/acme", "segments": ["a", "acme"], "headers": {"x-tenant": ["acme"]}}
	every facts in [token, object.union(token, {"roles": ["boss"]}), anonymous] {
		decision := data.authz.decision with input as {"request": request, "token": facts}
			with data.routes as grown
			with data.example as {}
		decision.allow == false
		codes(decision) == {"invalid_route"}
		not decision.challenge
	}
}

plain := {"id": "r", "scopes": [], "audience": ["api"], "tenant": "none"}

test_routes_that_are_no_objects_refuse[note] if {
	some note, route in {"null": null, "text": "abcd", "array": ["id", "scopes", "audience", "tenant"], "number": 4, "empty": {}}
	decision := data.authz.decision with input as {"request": {"method": "GET", "path": "/a", "segments": ["a"], "headers": {}}, "token": token}
		with data.routes as {"/a": {"GET": route}}
		with data.example as {}
	decision.allow == false
	codes(decision) == {"invalid_route"}
}

test_a_segment_for_the_tenant_must_be_there if {
	decision := data.authz.decision with input as {"request": {"method": "GET", "path": "/a", "segments": ["a"], "headers": {}}, "token": token}
		with data.routes as {"/a": {"GET": object.union(plain, {"tenant": {"segment": 1}})}}
		with data.example as {}
	codes(decision) == {"wrong_tenant"}
}

test_without_credential if {
	decision := ask("GET", ["a"], anonymous)
	decision.allow == false
	codes(decision) == {"no_credential"}
}

test_inactive_token_is_no_credential if codes(ask("GET", ["a"], object.union(token, {"active": false}))) == {"no_credential"}

test_any_audience_will_do if ask("GET", ["a"], object.union(token, {"audiences": ["old-api", "x"]})).allow

test_wrong_audience_tells_nothing_else if {
	decision := ask("GET", ["a"], object.union(token, {"audiences": ["other"], "scopes": []}))
	decision.allow == false
	codes(decision) == {"wrong_audience"}
	decision.challenge == {"error": "invalid_token"}
}

test_absent_audience_is_wrong if codes(ask("GET", ["a"], object.remove(token, ["audiences"]))) == {"wrong_audience"}

test_missing_scopes_are_named if {
	decision := ask("GET", ["a"], object.union(token, {"scopes": ["a:x"]}))
	decision == {
		"allow": false,
		"reasons": {{"code": "insufficient_scope", "message": "a:read and a:list are needed"}},
		"challenge": {"error": "insufficient_scope", "scope": ["a:read", "a:list"]},
	}
}

test_one_missing_scope_is_enough if {
	decision := ask("GET", ["a"], object.union(token, {"scopes": ["a:read"]}))
	decision.allow == false
	decision.challenge.scope == ["a:read", "a:list"]
}

test_any_role_will_do if ask("POST", ["a"], object.union(token, {"roles": ["owner", "x"]})).allow

test_missing_role if {
	decision := ask("POST", ["a"], token)
	decision == {"allow": false, "reasons": {{"code": "missing_role", "message": "the role boss or owner is needed"}}}
}

strong := object.union(token, {"auth": {"acr": "hwk", "time": 1000}})

own := {"x-tenant": ["acme"]}

test_strong_and_recent_login if asked("PUT", ["a"], strong, own).allow

test_SU1_weak_login if {
	decision := asked("PUT", ["a"], token, own)
	decision.allow == false
	codes(decision) == {"insufficient_user_authentication"}
	decision.challenge == {"error": "insufficient_user_authentication", "acr_values": ["mfa", "hwk"], "max_age": 60}
}

test_SU2_old_login if {
	decision := asked("PUT", ["a"], object.union(token, {"auth": {"acr": "mfa", "time": 969}}), own)
	codes(decision) == {"insufficient_user_authentication"}
}

test_SU2_login_just_in_time if asked("PUT", ["a"], object.union(token, {"auth": {"acr": "mfa", "time": 970}}), own).allow

test_SU2_login_at_an_unknown_time if {
	decision := ask("PATCH", ["a"], object.remove(token, ["auth"]))
	decision.allow == false
	decision.challenge == {"error": "insufficient_user_authentication", "max_age": 60}
}

test_scope_is_asked_for_before_login if {
	decision := asked("PUT", ["a"], object.union(token, {"scopes": []}), own)
	codes(decision) == {"insufficient_scope", "insufficient_user_authentication"}
	decision.challenge == {"error": "insufficient_scope", "scope": ["a:write"]}
}

test_no_challenge_where_it_would_not_help if {
	decision := asked("PUT", ["a"], token, {"x-tenant": ["globex"]})
	codes(decision) == {"wrong_tenant", "insufficient_user_authentication"}
	not decision.challenge
}

test_tenant_from_the_path if ask("GET", ["a", "acme"], token).allow

test_wrong_tenant_in_the_path if {
	decision := ask("GET", ["a", "globex"], token)
	decision == {"allow": false, "reasons": {{"code": "wrong_tenant", "message": "the token belongs to another tenant"}}}
}

test_token_without_tenant if codes(ask("GET", ["a", "acme"], object.remove(token, ["tenant"]))) == {"wrong_tenant"}

test_named_segment_wins if ask("GET", ["a", "open"], anonymous).allow

test_frozen if {
	request := {"method": "GET", "path": "/a", "segments": ["a"], "headers": {}}
	decision := data.authz.decision with input as {"request": request, "token": token}
		with data.routes as routes
		with data.example.maintenance.frozen as true
	decision == {"allow": false, "reasons": {{"code": "maintenance", "message": "changes are not possible at the moment"}}}
}

test_nothing_is_frozen_without_the_bundle if {
	request := {"method": "POST", "path": "/a", "segments": ["a"], "headers": {}}
	data.authz.decision.allow with input as {"request": request, "token": object.union(token, {"roles": ["boss"], "tenant": "initech"})}
		with data.routes as routes
		with data.example as {}
}
