package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// reservedClaims are those of a token for the upstream that the sidecar sets (RFC 7519 section 4.1). It sets no sub.
func reservedClaims() []string { return []string{"iss", "aud", "iat", "nbf", "exp", "jti"} }

// IsReservedClaim reports whether a policy must not set a claim of this name, in letters of any case: some readers of
// JSON, that of Go among them, take Exp for exp.
func IsReservedClaim(name string) bool {
	return slices.ContainsFunc(reservedClaims(), func(r string) bool { return strings.EqualFold(r, name) })
}

// reservedMembers have shapes that no value fits.
func reservedMembers() []ShapeMember {
	var out []ShapeMember
	for _, name := range reservedClaims() {
		refuse := func(ast.Value) error { return reserved(name) }
		out = append(out, ShapeMember{Name: name, Shape: Shape{Want: "none: the sidecar sets it", Check: refuse}})
	}
	return out
}

func reserved(name string) error { return fmt.Errorf("%s is set by the sidecar: remove it", name) }

// upstreamToken reads the claims of a token for the upstream: nil when there are none.
func upstreamToken(v ast.Value) ([]byte, error) {
	for _, name := range reservedClaims() {
		if o, ok := v.(ast.Object); ok && term.Member(o, name) != nil {
			return nil, reserved(name)
		}
	}
	return objectJSON(v)
}
