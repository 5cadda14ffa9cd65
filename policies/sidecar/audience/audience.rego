# METADATA
# title: Audience
# description: Whom the token was issued for. A token that names nobody is for nobody.
package sidecar.audience

# METADATA
# title: One of us
# description: The token names at least one of an array of audiences.
accepted(ours) if {
	some audience in ours
	audience in input.token.audiences
}
