package authz_test

test_each if {
	every method in ["POST", "PUT"] {
		not data.authz.allow with input.request.method as method
	}
}

# ---

package authz_test

test_table[method] if {
	some method in ["POST", "PUT"]
	not data.authz.allow with input.request.method as method
}
