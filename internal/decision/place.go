package decision

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// crossOrigin is the reason code of a request of another origin that has no other credential than a cookie.
const crossOrigin = "cross_origin"

// places are where the credential of a query may be.
type places struct {
	// general is the place of the tokens of all issuers that name none.
	general authz.Place
	// others are looked at too, since two credentials are refused, and not ranked.
	others []authz.Place
	// ofIssuers is set when others are those that issuers name. Else no token is taken from there.
	ofIssuers bool
}

// authorization is the place of credentials where no other is configured.
func authorization() authz.Place { return authz.Place{Header: "authorization"} }

// placesOf returns where the credential of q may be. A listener that names a place names it for all issuers. The token
// of a message of MCP is in Authorization (MCP 2026-07-28, Token Requirements), whatever is configured.
func (p *Point) placesOf(q *authz.Query, asked *input.Query) places {
	configured := cmp.Or(q.Place, p.cfg.Credential.Place(), authorization())
	configured.Header = httpuri.Lower(configured.Header)
	switch {
	case asked.MCP != nil:
		return places{general: authorization(), others: append([]authz.Place{configured}, p.deps.Places...)}
	case q.Place != authz.Place{}:
		return places{general: configured}
	}
	return places{general: configured, others: p.deps.Places, ofIssuers: true}
}

// from is what issuers are asked about a token at a place; taken is false where no token is taken from there.
func (at *places) from(place authz.Place) (from introspect.From, taken bool) {
	switch {
	case !at.ofIssuers:
		return introspect.From{}, place == at.general
	case place == at.general:
		return introspect.From{Place: place, General: true}, true
	}
	return introspect.From{Place: place}, slices.Contains(at.others, place)
}

// search returns the one token outside of Authorization, and its place; an empty one when there is none.
func (at *places) search(headers map[string][]string) (found secret.Text, where authz.Place, err error) {
	if len(at.others) == 0 && at.general == authorization() {
		return found, where, nil
	}
	for i, place := range append([]authz.Place{at.general}, at.others...) {
		if place == authorization() || i > 0 && (place == at.general || slices.Contains(at.others[:i-1], place)) {
			continue
		}
		if place.Header != "" {
			if err := input.CheckPlace(headers, place.Header); err != nil {
				return secret.Text{}, where, err
			}
		}
		tok, err := token.At(place, headers)
		switch {
		case err != nil:
			return secret.Text{}, where, err
		case tok.Empty():
			continue
		case !found.Empty():
			return secret.Text{}, where, authz.Errorf(authz.Malformed, "read credential: tokens at two places")
		}
		found, where = tok, place
	}
	return found, where, nil
}

// credential finds the one credential of a query, at the places where it may be. Authorization is none where another
// place is named, and a second one beside a token at that place.
func (p *Point) credential(q *authz.Query, asked *input.Query) (token.Credential, introspect.From, error) {
	at := p.placesOf(q, asked)
	sources := token.Sources{Header: q.Request.Headers["authorization"], Elsewhere: asked.Request.OtherTokens,
		Explicit: q.Token}
	found, where, err := at.search(q.Request.Headers)
	if err != nil {
		return token.Credential{}, introspect.From{}, err
	}
	if found.Empty() {
		from, taken := at.from(authorization())
		switch {
		case !q.Token.Empty(): // the caller found it
			from = introspect.From{}
		case !taken:
			return token.Credential{}, from, nil
		}
		cred, err := token.Extract(sources)
		return cred, from, err
	}
	if !q.Token.Empty() {
		return token.Credential{}, introspect.From{}, authz.Errorf(authz.Malformed,
			"read credential: a token beside the request and one at its place in it")
	}
	from, taken := at.from(where)
	if taken && where.Cookie != "" {
		if err := sameOrigin(&q.Request, &asked.Request); err != nil {
			return token.Credential{}, from, err
		}
	}
	sources.Explicit = found
	cred, err := token.Extract(sources)
	if !taken {
		cred = token.Credential{}
	}
	return cred, from, err
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
