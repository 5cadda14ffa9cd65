package introspect

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

// HeaderOf is the JOSE header of a token that is a JWT, or that a lax decoder may take for one, however its other
// parts are encoded. Some opaque tokens have as many parts, and no header.
func HeaderOf(tok string) (jose.Header, bool) {
	const dotsOfJWS, dotsOfJWE = 2, 4
	dots := strings.Count(tok, ".")
	if dots != dotsOfJWS && dots != dotsOfJWE {
		return jose.Header{}, false
	}
	header, _, _ := strings.Cut(tok, ".")
	h, err := jose.Peek(header + strings.Repeat(".", dots))
	return h, err == nil
}
