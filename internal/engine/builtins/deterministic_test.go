package builtins

import (
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestBuiltinsThatOPACallsNondeterministicAreNotReliedOn(t *testing.T) {
	for _, b := range ast.Builtins {
		if b.Nondeterministic && Deterministic(b.Name) {
			t.Errorf("%s is on the list", b.Name)
		}
	}
	for _, name := range []string{"http.send", "time.now_ns", "rand.intn", "uuid.rfc4122", "opa.runtime",
		"net.lookup_ip_addr", "json.match_schema", "json.verify_schema", "io.jwt.decode_verify",
		"crypto.x509.parse_and_verify_certificates", "crypto.x509.parse_and_verify_certificates_with_options",
		"custom.builtin", "bounded:time.now_ns"} {
		if Deterministic(name) {
			t.Errorf("%s is on the list", name)
		}
	}
}

func TestBuiltinsThatAreReliedOnExist(t *testing.T) {
	for _, name := range slices.Concat(deterministicNames, silentNames) {
		if ast.BuiltinMap[name] == nil {
			t.Errorf("%s is no builtin of OPA", name)
		}
	}
}

// TestBuiltinsThatAreNotReliedOnAreNoted keeps a builtin of a later OPA from being called by its public name, which no
// evaluation notes.
func TestBuiltinsThatAreNotReliedOnAreNoted(t *testing.T) {
	guarded := Guarded(NewRunaways())
	for _, b := range ast.Builtins {
		if isNoted(b.Name) && guarded[privatePrefix+b.Name] == nil {
			t.Errorf("%s is called by its public name", b.Name)
		}
	}
}
