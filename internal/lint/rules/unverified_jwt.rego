package lint

import data.lint.lib

findings contains lib.finding(
	"unverified-jwt", call.place,
	"io.jwt.decode does not verify the signature, so that any client can write the claims: use io.jwt.decode_verify",
) if {
	lib.policy
	some call in input.calls["io.jwt.decode"]
	not verifies
}

verifies if {
	some name, _ in input.calls
	startswith(name, "io.jwt.verify_")
}

verifies if input.calls["io.jwt.decode_verify"]
