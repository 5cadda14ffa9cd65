package sidecar_test

import data.sidecar.audience
import data.sidecar.login
import data.sidecar.scopes
import data.sidecar.tenant

test_scopes_all_are_needed if {
	scopes.granted(["a", "b"]) with input.token.scopes as ["a", "b", "c"]
	not scopes.granted(["a", "d"]) with input.token.scopes as ["a", "b", "c"]
}

test_scopes_one_needed if {
	scopes.granted(["b"]) with input.token.scopes as ["a", "b"]
	not scopes.granted(["c"]) with input.token.scopes as ["a", "b"]
}

test_scopes_none_needed if scopes.granted([]) with input.token.scopes as []

test_scopes_that_are_no_array_are_never_granted if {
	not scopes.granted("a") with input.token.scopes as ["a"]
	not scopes.granted(null) with input.token.scopes as ["a"]
	not scopes.granted({}) with input.token.scopes as ["a"]
}

test_scopes_missing_in_order if scopes.missing(["z", "a", "b"]) == ["z", "b"] with input.token.scopes as ["a"]

test_audience_one_is_enough if audience.accepted(["x", "y"]) with input.token.audiences as ["y"]

test_audience_none_matches if not audience.accepted(["x"]) with input.token.audiences as ["y"]

test_audience_absent if not audience.accepted(["x"]) with input.token as {}

test_audience_that_is_no_array_is_never_accepted if {
	not audience.accepted("y") with input.token.audiences as ["y"]
	not audience.accepted({"x": "y"}) with input.token.audiences as ["y"]
}

test_audience_none_is_ours if not audience.accepted([]) with input.token.audiences as ["y"]

test_tenant_own if {
	tenant.own("acme") with input.token.tenant as "acme"
	not tenant.own("ACME") with input.token.tenant as "acme"
	not tenant.own("") with input.token.tenant as ""
	not tenant.own("acme") with input.token as {}
}

test_tenant_header_once if {
	tenant.own_header("x-tenant") with input as {"request": {"headers": {"x-tenant": ["acme"]}}, "token": {"tenant": "acme"}}
}

test_tenant_header_twice_is_refused if {
	not tenant.own_header("x-tenant") with input as {"request": {"headers": {"x-tenant": ["acme", "acme"]}}, "token": {"tenant": "acme"}}
}

test_tenant_header_absent if {
	not tenant.own_header("x-tenant") with input as {"request": {"headers": {}}, "token": {"tenant": "acme"}}
}

test_tenant_kept if {
	tenant.kept("none") with input as {}
	tenant.kept({"segment": 1}) with input as at(["tenants", "acme"])
	tenant.kept({"header": "x-tenant"}) with input as at([])
}

test_tenant_not_kept[note] if {
	some note, rule in {
		"another segment": {"segment": 0},
		"no such segment": {"segment": 2},
		"a segment from the end": {"segment": -1},
		"a part of a segment": {"segment": 1.5},
		"the name of a segment": {"segment": "1"},
		"every segment": {"segment": null},
		"no such header": {"header": "x-other"},
		"a header in upper case": {"header": "X-Tenant"},
		"two rules": {"segment": 1, "header": "x-tenant"},
		"a rule and a remark": {"segment": 1, "note": "x"},
		"no rule": {},
		"nothing": null,
		"a number": 1,
		"another text": "any",
		"an array": ["none"],
	}
	not tenant.kept(rule) with input as at(["tenants", "acme"])
}

at(segments) := {"request": {"segments": segments, "headers": {"x-tenant": ["acme"]}}, "token": {"tenant": "acme"}}

test_login_roles if {
	login.in_role(["a", "b"]) with input.token.roles as ["b"]
	not login.in_role(["a"]) with input.token.roles as ["b"]
	not login.in_role([]) with input.token.roles as ["b"]
}

test_login_acr if {
	login.by(["mfa"]) with input.token.auth as {"acr": "mfa"}
	not login.by(["mfa"]) with input.token.auth as {"acr": "pwd"}
	not login.by(["mfa"]) with input.token.auth as {}
}

test_login_age_must_be_a_number if {
	not login.within("300") with input.token.auth as {"time": 1} with time.now_ns as 2000000000
	login.within(300) with input.token.auth as {"time": 1} with time.now_ns as 2000000000
}
