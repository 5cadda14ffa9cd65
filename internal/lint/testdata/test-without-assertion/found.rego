package authz_test

test_scopes if {
	count_of := count([scope | some scope in ["a", "b"]; scope == "a"])
	print(count_of)
}
