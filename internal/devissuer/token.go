package devissuer

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// tokenAnswer is RFC 6749 section 5.1.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitzero"`
}

// token is the token endpoint, grant client_credentials: RFC 6749 section 4.4.
func (s *Server) token(_ *http.Request, who *party, form url.Values) ([]byte, *problem) {
	switch form.Get("grant_type") {
	case "client_credentials":
	case "":
		return nil, invalidRequest("grant_type is missing")
	default:
		return nil, &problem{status: http.StatusBadRequest, code: "unsupported_grant_type",
			description: "only client_credentials is served"}
	}
	scopes, p := scopesOf(who.client, form)
	if p != nil {
		return nil, p
	}
	audience, p := audienceOf(who.client, form)
	if p != nil {
		return nil, p
	}
	claims, p := claimsOf(who.client, form)
	if p != nil {
		return nil, p
	}
	c := who.client
	subject := c.Subject
	if subject == "" {
		subject = c.ID
	}
	token, err := s.Issue(Grant{
		ClientID: c.ID, Subject: subject, Username: c.Username, Scopes: scopes, Audience: audience,
		Tenant: c.Tenant, Roles: c.Roles, Claims: claims, TokenFormat: c.TokenFormat,
	})
	if err != nil {
		return nil, serverError()
	}
	answer, err := encode(tokenAnswer{AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(s.ttl / time.Second),
		Scope: strings.Join(scopes, " ")})
	if err != nil {
		return nil, serverError()
	}
	return answer, nil
}

func serverError() *problem {
	return &problem{status: http.StatusInternalServerError, code: "server_error",
		description: "the token could not be made"}
}

// scopesOf is what the client asks for, or all it may have: RFC 6749 section 3.3.
func scopesOf(c Client, form url.Values) ([]string, *problem) {
	if !form.Has("scope") {
		return c.Scopes, nil
	}
	var scopes []string
	for _, scope := range strings.Split(form.Get("scope"), " ") {
		if !slices.Contains(c.Scopes, scope) {
			return nil, &problem{status: http.StatusBadRequest, code: "invalid_scope",
				description: "a scope is malformed or beyond what the client may have"}
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// audienceOf is where the token is meant to be used: the resource parameters of RFC 8707, which must be URIs, and
// the audience parameters that other servers know, which need not. Without any it is the client's first audience.
func audienceOf(c Client, form url.Values) ([]string, *problem) {
	var audience []string
	for _, name := range []string{"resource", "audience"} {
		for _, target := range form[name] {
			if name == "resource" && !isTarget(target) || !slices.Contains(c.Audiences, target) {
				return nil, &problem{status: http.StatusBadRequest, code: "invalid_target",
					description: "a resource or audience is malformed or beyond what the client may have"}
			}
			if !slices.Contains(audience, target) {
				audience = append(audience, target)
			}
		}
	}
	if audience == nil && len(c.Audiences) > 0 {
		audience = c.Audiences[:1]
	}
	return audience, nil
}

// claimsOf is what the client wants to be said about the token, in a parameter of this server alone: roles, logins and
// users can be tried without a login page.
func claimsOf(c Client, form url.Values) (map[string]any, *problem) {
	if !form.Has("claims") {
		return nil, nil
	}
	if !c.ChoosesClaims {
		return nil, invalidRequest("this client may not choose claims")
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(form.Get("claims")), &claims); err != nil || claims == nil {
		return nil, invalidRequest("claims is not a JSON object")
	}
	return claims, nil
}

// isTarget reports whether s can be a resource parameter: an absolute URI without fragment (RFC 8707 section 2).
func isTarget(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && !strings.Contains(s, "#")
}
