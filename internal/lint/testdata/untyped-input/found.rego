allow if {
	walk(input, [_, value])
	value == "open"
}
