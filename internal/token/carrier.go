package token

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Carrier says where requests carry their token.
type Carrier struct {
	Header string `yaml:"header" doc:"Header that carries the token instead of Authorization, such as x-forwarded-access-token of oauth2-proxy: alone, or after Bearer. A listener that keeps to Authorization writes authorization."`
	Cookie string `yaml:"cookie" doc:"Cookie that carries the token instead of Authorization. It is no credential for an unsafe method from another origin."`
}

// Check reports names that cannot be, and two places.
func (c Carrier) Check(fault func(key, cause, hint string)) {
	switch {
	case c.Header != "" && c.Cookie != "":
		fault("cookie", "is set, and header too: a token has one place", "remove one of the two")
	case c.Header != "" && !httpuri.IsToken(c.Header):
		fault("header", "is no header name", "write one such as x-forwarded-access-token")
	case strings.EqualFold(c.Header, "Cookie"):
		fault("header", "holds many cookies", "write the name of one as cookie")
	case c.Cookie != "" && !httpuri.IsToken(c.Cookie):
		fault("cookie", "is no name of a cookie", "write one such as access_token")
	}
}

// Place is c for a query. Places can be compared: the header is in lower case.
func (c Carrier) Place() authz.Place {
	return authz.Place{Header: httpuri.Lower(c.Header), Cookie: c.Cookie}
}
