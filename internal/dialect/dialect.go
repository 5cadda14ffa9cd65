// Package dialect reads what authorization servers say about tokens, each in its own spelling, and says it in one
// vocabulary: authz.Claims.
package dialect

import "github.com/authz-sidecar/sidecar/internal/authz"

// dialect is how one kind of server spells its answers. It is configured, never guessed.
type dialect struct {
	name string
	// clientID, username, scopes, roles and groups are members; the first that is there wins, but for roles, which add up.
	clientID, username, scopes []string
	roles, groups, permissions []string
	// nestedRoles reads realm_access.roles as plain names and resource_access.<client>.roles as "<client>:<role>". The client
	// is kept in the name because the same role of two clients means two different things.
	nestedRoles nesting
	// credentials are members that hold a usable token: they are kept out of the claims.
	credentials []string
	// serviceAccount is the prefix of the user name that stands for a client, "" when there is none.
	serviceAccount string
	// withSubject is the type of a subject that nothing else tells.
	withSubject authz.SubjectType
	// withoutSubject is the type of subject an answer without sub speaks for; the client then is the subject.
	withoutSubject authz.SubjectType
	// withoutTokenType is the kind of token that an answer without token_type is about.
	withoutTokenType authz.TokenKind
}

type nesting uint8

const (
	flat nesting = iota
	realmAndResource
)

// dialects is the table. A server that needs code instead of a row deserves a second thought.
func dialects() []dialect {
	usual := dialect{
		name:             "rfc7662",
		clientID:         []string{"client_id", "azp", "cid", "appid"},
		username:         []string{"username"},
		scopes:           []string{"scope", "scp"},
		roles:            []string{"roles"},
		groups:           []string{"groups"},
		permissions:      []string{"permissions"},
		withSubject:      authz.UnknownType,
		withoutSubject:   authz.UnknownType,
		withoutTokenType: authz.UnknownToken,
	}

	keycloak := usual
	keycloak.name = "keycloak"
	keycloak.username = []string{"username", "preferred_username"}
	keycloak.roles = nil
	keycloak.nestedRoles = realmAndResource
	keycloak.credentials = []string{"jwt"} // a whole access token, on request of some clients
	keycloak.serviceAccount = "service-account-"

	// Duende names a role "role", once or many times. Asked by an API it sends no token_type and only knows access tokens.
	duende := usual
	duende.name = "duende"
	duende.roles = []string{"role"}
	duende.withoutSubject = authz.Client
	duende.withoutTokenType = authz.AccessToken

	// node oidc-provider leaves token_type out for refresh tokens only, and sub for client_credentials only.
	oidcProvider := usual
	oidcProvider.name = "oidc-provider"
	oidcProvider.withSubject = authz.User
	oidcProvider.withoutSubject = authz.Client
	oidcProvider.withoutTokenType = authz.RefreshToken

	return []dialect{usual, keycloak, duende, oidcProvider}
}

func names() []string {
	var names []string
	for _, d := range dialects() {
		names = append(names, d.name)
	}
	return names
}

// named finds a row of the table. The empty name is the documented default; Check has refused unknown ones.
func named(name string) dialect {
	all := dialects()
	for _, d := range all {
		if d.name == name {
			return d
		}
	}
	return all[0]
}
