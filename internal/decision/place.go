package decision

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// crossOrigin is the reason code of a request of another origin that has no other credential than a cookie.
const crossOrigin = "cross_origin"

// credential finds the one credential of a query, where its place says. Authorization is none where another place is
// named, and a second one beside a token at that place.
func credential(q *authz.Query, asked *input.Request) (token.Credential, error) {
	sources := token.Sources{Header: q.Request.Headers["authorization"], Elsewhere: asked.OtherTokens,
		Explicit: q.Token}
	if q.Place == (authz.Place{}) || strings.EqualFold(q.Place.Header, "Authorization") {
		return token.Extract(sources)
	}
	if q.Place.Header != "" {
		if err := input.CheckPlace(q.Request.Headers, q.Place.Header); err != nil {
			return token.Credential{}, err
		}
	}
	tok, err := token.At(q.Place, q.Request.Headers)
	switch {
	case err != nil:
		return token.Credential{}, err
	case tok.Empty() && !q.Token.Empty():
		return token.Extract(sources)
	case tok.Empty():
		return token.Credential{}, nil
	case !q.Token.Empty():
		return token.Credential{}, authz.Errorf(authz.Malformed,
			"read credential: a token beside the request and one at its place in it")
	}
	if q.Place.Cookie != "" {
		if err := sameOrigin(&q.Request, asked); err != nil {
			return token.Credential{}, err
		}
	}
	sources.Explicit = tok
	return token.Extract(sources)
}

// safe are the methods that change nothing (RFC 9110 section 9.2.1).
var safe = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}

// sameOrigin refuses a request whose cookie a browser may have sent for a page of another origin: one by an unsafe
// method, or that opens a WebSocket, which no same-origin policy keeps from such pages. Browsers say where a request
// comes from by Sec-Fetch-Site, older ones by Origin; one that says neither is refused.
func sameOrigin(r *authz.Request, asked *input.Request) error {
	opensSocket := r.Headers["upgrade"] != nil || r.Headers["sec-websocket-key"] != nil
	if slices.Contains(safe, strings.ToUpper(r.Method)) && !opensSocket {
		return nil
	}
	site, origin := r.Headers["sec-fetch-site"], r.Headers["origin"]
	switch {
	case len(site) == 1 && (site[0] == "same-origin" || site[0] == "none"):
		return nil
	case len(site) == 0 && len(origin) == 1 && asked.Host != "":
		scheme, authority, ok := strings.Cut(origin[0], "://")
		if from, read := httpuri.ReadAuthority(authority); ok && read && from.Host == asked.Host &&
			special(int64(from.Port)) == special(asked.Port) &&
			(scheme == "https" || scheme == "http" && asked.Scheme != "https") {
			return nil
		}
	}
	return &authz.Error{Kind: authz.Malformed, Status: http.StatusForbidden, Code: crossOrigin,
		Err: errors.New("read credential: a cookie is none for a request of another origin, or of none, by a method " +
			"that is not safe")}
}

// special is a port, or 0 for those that a scheme has by default: TLS may end before the gateway.
func special(port int64) int64 {
	if port == 80 || port == 443 {
		return 0
	}
	return port
}
