package sidecar.routes

# flaws are what keeps a route from being open or sound, as texts.
flaws(asked) := {"it is an object, with these keys"} if not is_object(asked)

flaws(asked) := ((unknown_keys(asked) | missing_keys(asked)) | wrong_values(asked)) | company(asked) if is_object(asked)

unknown_keys(asked) := {sprintf("%v is no key of a route%s", [key, meant(key)]) |
	some key, _ in asked
	not wanted[key]
}

missing_keys(asked) := {sprintf("%s is missing", [key]) |
	not asked.anonymous == true
	some key in {"id", "scopes", "audience", "tenant"}
	not key in object.keys(asked)
}

wrong_values(asked) := {sprintf("%s must be %s", [key, want]) |
	some key, want in wanted
	value := asked[key]
	not fits(key, value)
}

# company is what an anonymous route asks for besides.
company(asked) := {sprintf("it is anonymous, and %s asks for a token", [key]) |
	asked.anonymous == true
	some key, _ in asked
	wanted[key]
	not key in {"id", "anonymous"}
}

# wanted are the keys of a route, and what each holds.
wanted := {
	"id": "a text",
	"scopes": "an array of texts",
	"audience": "an array of texts",
	"roles": "an array of texts",
	"acr_values": "an array of texts",
	"max_age": "a number of whole seconds from 0",
	"tenant": "none, {header: name} or {segment: number}",
	"anonymous": "true, or be left out",
}

fits("id", value) if is_string(value)

fits(key, value) if {
	wanted[key] == "an array of texts"
	are_texts(value)
}

fits("tenant", value) if is_tenant_rule(value)

fits("max_age", value) if is_age(value)

fits("anonymous", true)

# meant is the key that an unknown one begins, or is longer than: scopes for scope, audience for audiences.
meant(key) := sprintf(" (%s?)", [near]) if {
	[near] := [known | some known, _ in wanted; begins(key, known)]
} else := ""

begins(key, known) if startswith(key, known)

begins(key, known) if startswith(known, key)
