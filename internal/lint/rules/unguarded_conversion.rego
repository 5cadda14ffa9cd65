package lint

import data.lint.lib

findings contains lib.finding(
	"unguarded-conversion", call.place,
	sprintf("%s fails for what callers may send in %s, and the request is then misconfigured: test it first (%s)", [
		name, arg.ref, conversions[name],
	]),
) if {
	lib.policy
	some [name, call] in lib.calls(object.keys(conversions))
	some i, arg in call.args
	i in object.get(positions, name, [0, 1])
	arg.kind == "ref"
	is_from_outside(arg)
	not arg.defaulted
	not is_guarded(call, arg)
}

conversions := {
	"to_number": "regex.match(`^[0-9]{1,9}$`, ...)",
	"time.parse_rfc3339_ns": "regex.match of the form",
	"time.parse_ns": "regex.match of the form",
	"time.parse_duration_ns": "regex.match of the form",
	"net.cidr_contains": "net.cidr_is_valid, or regex.match of the form",
	"net.cidr_intersects": "net.cidr_is_valid",
	"json.unmarshal": "json.is_valid",
	"yaml.unmarshal": "yaml.is_valid",
	"base64.decode": "base64.is_valid",
	"base64url.decode": "regex.match(`^[A-Za-z0-9_-]*$`, ...)",
	"hex.decode": "regex.match(`^([0-9a-f]{2})*$`, ...)",
	"urlquery.decode": "regex.match of the form",
	"units.parse": "regex.match of the form",
	"units.parse_bytes": "regex.match of the form",
	"semver.compare": "semver.is_valid",
	"io.jwt.decode": "regex.match of the form",
	"io.jwt.decode_verify": "regex.match of the form",
	"regex.match": "a pattern is a constant or data, never what callers send",
	"glob.match": "a pattern is a constant or data, never what callers send",
}

# positions are the arguments that must have a certain form, where not all.
positions := {
	"regex.match": [0], "glob.match": [0], "time.parse_ns": [1], "json.unmarshal": [0], "io.jwt.decode_verify": [0],
}

is_from_outside(term) if {
	some place in {
		"input.context", "input.request.headers", "input.request.query", "input.request.body", "input.request.segments",
		"input.request.path", "input.request.raw_path", "input.token.claims", "input.token.subject.username",
		"input.subject", "input.action", "input.resource",
	}
	lib.below(term, place)
}

is_guarded(call, arg) if {
	some i in earlier(call)
	guards(input.exprs[i], arg.ref)
}

# earlier are the expressions that have held before a call; all of the body, for a call in a head.
earlier(call) := input.exprs[call.expr].before if call.expr >= 0

earlier(call) := exprs_of[call.branch] if call.expr < 0

exprs_of[expr.branch] contains i if some i, expr in input.exprs

guards(expr, ref) if {
	not expr.negated
	ref in expr.paths
	is_test(expr.call)
}

# A rule of the policies may have looked at it.
guards(expr, _) if {
	not expr.negated
	expr.form == "term"
	expr.term.path[0] == "data"
}

is_test(name) if name in {"regex.match", "internal.member_2", "equal", "eq", "json.match_schema"}

is_test(name) if startswith(name, "is_")

is_test(name) if endswith(name, "is_valid")

is_test(name) if startswith(name, "data.")
