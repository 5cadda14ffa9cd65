# METADATA
# title: Scopes
# description: What the token may do, as its client asked for it (RFC 6749 section 3.3).
package sidecar.scopes

# METADATA
# title: All granted
# description: The token has every scope of an array. What is not an array is never granted.
granted(needed) if {
	is_array(needed)
	not lacking(needed)
}

lacking(needed) if {
	some scope in needed
	not scope in input.token.scopes
}

# METADATA
# title: Missing scopes
# description: The scopes of an array that the token lacks, in the order of the array.
missing(needed) := [scope |
	some scope in needed
	not scope in input.token.scopes
]
