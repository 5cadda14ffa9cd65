allow if {
	some first in input.token.scopes
	every scope in input.token.scopes { startswith(scope, substring(first, 0, 3)) }
}
