package lint

import data.lint.lib

findings contains lib.finding(
	"forbidden-function-call", call.place,
	sprintf("%s: %s", [name, outbound[name]]),
) if {
	not input.test
	some [name, call] in lib.calls(object.keys(outbound))
}

outbound := {
	"http.send": "a decision waits for another server, and depends on what it says: put the facts into data or into the token",
	"net.lookup_ip_addr": "a decision waits for name servers, whose answers others may forge: compare addresses",
	"opa.runtime": "a decision depends on the environment of the process: put the facts into data",
	"crypto.x509.parse_and_verify_certificates": "the time is that of the machine, not that of the decision, which is not repeatable",
	"crypto.x509.parse_and_verify_certificates_with_options": "the time is that of the machine unless an option gives it",
}
