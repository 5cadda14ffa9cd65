allow if {
	some name in {"a"}
	input.context[name]
}

# ---

allow if {
	some name, _ in input.request.headers
	name == "x-a"
}
