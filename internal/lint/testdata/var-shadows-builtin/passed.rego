allow if {
	maximum := 3
	input.token.age < maximum
}
