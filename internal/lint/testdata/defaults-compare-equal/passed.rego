allow if {
	required := object.get(data.needed, input.request.path, ["none"])
	object.subset({s: true | some s in input.token.scopes}, {s: true | some s in required})
}
