package dialect

import "github.com/authz-sidecar/sidecar/internal/authz"

// usual is a server that keeps to RFC 7662 and RFC 9068, and the names that several servers share. Every other row
// begins as a copy of it.
func usual(name string) dialect {
	return dialect{
		name: name,
		ask:  Request{Encoding: Form, Parameter: "token", Hint: "access_token", Accept: "application/json"},
		inactive: []refusal{
			{status: 400, mediaType: "application/json", error: "unsupported_token_type"}, // recorded: oidc-provider
			// UAA and others of the time before RFC 7662; GluuFederation/oxAuth#929
			{status: 400, mediaType: "application/json", error: "invalid_token"},
		},

		subject:     []string{"sub"},
		clientID:    []string{"client_id", "azp", "cid", "appid"},
		username:    []string{"username"},
		scopes:      []string{"scope", "scp"},
		roles:       []string{"roles"},
		groups:      []string{"groups"},
		permissions: []string{"permissions"},
		issued:      "iat", notBefore: "nbf", expires: "exp",

		uses:    []string{"token_use", "token_usage"},
		untyped: authz.UnknownToken,

		person:         []string{"username", "sid", "auth_time"},
		withSubject:    authz.UnknownType,
		withoutSubject: authz.UnknownType,

		jwt: local{types: []string{"at+jwt"}},
	}
}

// unasked is a server without an introspection endpoint: all it has are keys.
func unasked(name string) dialect {
	d := usual(name)
	d.ask = Request{}
	return d
}

// rows is the table. A server that needs code instead of a row deserves a second thought.
func rows() []dialect {
	return []dialect{
		usual("rfc7662"),
		keycloak(), duende(), hydra(), zitadel(), authentik(), okta(), pingam(), pingfederate(), curity(), wso2(),
		spring(), oidcProvider(), openiddict(), connect2id(),
		auth0(), entra(), cognito(),
		google(), github(),
	}
}

// Recorded: 26.7.3. Its tokens and answers say in typ what they are. client_id is only in answers; JWTs have azp. A
// JWT is inactive once it is revoked or its session has ended.
func keycloak() dialect {
	d := usual("keycloak")
	d.ends = EndedSessions
	d.username = []string{"username", "preferred_username"}
	d.roles, d.roleForm = nil, realmAndResource
	d.credentials = []string{"jwt"} // a whole access token, on request of some clients
	d.person = []string{"username", "preferred_username", "sid", "auth_time"}
	d.account = account{before: "service-account-"}
	d.jwt = local{types: []string{"JWT", "at+jwt"}, omits: []string{"client_id"}}
	return d
}

// Recorded: 7.4.8. A role is "role", once or many times. Asked by an API it sends no token_type and knows only
// access tokens; asked by a client token_type is access_token or refresh_token. A client's own token has no sub.
// A JWT stays active after its revocation, and after the end of its session.
func duende() dialect {
	d := usual("duende")
	d.ends = SignatureOnly
	d.roles = []string{"role"}
	d.withoutSubject = authz.Client
	d.untyped = authz.AccessToken
	d.jwt.omits = []string{"sub"}
	return d
}

// Its source, and recorded: fosite 0.49.0, the engine inside. token_type is Bearer for refresh tokens too; token_use
// tells, and where an answer has none (fosite), only how the token begins. Claims of the consent are below ext.
func hydra() dialect {
	d := usual("hydra")
	d.refusedPrefixes = []string{"ory_rt_"}
	d.roles = []string{"roles", "/ext/roles"}
	d.groups = []string{"groups", "/ext/groups"}
	d.permissions = []string{"permissions", "/ext/permissions"}
	d.withoutSubject = authz.Client
	d.jwt = local{types: []string{"at+jwt", "JWT"}, evidence: []evidence{
		{kind: authz.IDToken, without: []string{"client_id"}}}}
	return d
}

// Its source, and recorded: zitadel/oidc 3.51.17, the library inside. A machine has a user name too: only a human has
// a given and a family name, or a confirmed address.
func zitadel() dialect {
	d := usual("zitadel")
	d.username = []string{"username", "preferred_username"}
	d.roles, d.roleForm = nil, projectAndOrganisation
	d.person = []string{"given_name", "family_name", "email", "phone_number"}
	d.jwt = local{
		types: []string{"at+jwt", "JWT", ""}, omits: []string{"client_id"},
		evidence: []evidence{{kind: authz.IDToken, without: []string{"jti"}}},
	}
	return d
}

// Its source of 2026. client_id in an answer is who asked, not who got the token. auth_time is there for service
// accounts too; only a login has a session. A JWT access token is the ID token with azp and uid, nonce included.
func authentik() dialect {
	d := usual("authentik")
	d.clientID = []string{"azp", "client_id"}
	d.username = []string{"preferred_username"}
	d.person = []string{"sid"}
	d.jwt = local{
		types: []string{"JWT", "at+jwt"}, omits: []string{"client_id", "jti"},
		evidence: []evidence{
			{kind: authz.IDToken, without: []string{"azp"}},
			{kind: authz.AccessToken, with: []string{"azp", "uid"}},
		},
	}
	return d
}

// Its documentation. sub is a login name that can change; uid stays, and only people have one. A refresh token is
// Bearer too, and lacks what every access token has. An ID token has no token_type; as a JWT, no cid.
func okta() dialect {
	d := usual("okta")
	d.subject = []string{"uid", "sub"}
	d.clientID = []string{"client_id", "cid"}
	d.person = []string{"uid"}
	d.evidence = []evidence{{kind: authz.RefreshToken, without: []string{"aud", "iat", "jti"}}}
	d.untyped = authz.IDToken
	d.jwt = local{
		types: []string{"okta-internal-at+jwt", "at+jwt", ""}, omits: []string{"client_id"},
		evidence: []evidence{{kind: authz.IDToken, without: []string{"cid"}}},
	}
	return d
}

// PingAM, ForgeRock AM and Identity Cloud: their documentation. sub can say whether it is a user or an agent (a
// client); tokenName is the kind. aud is often absent.
func pingam() dialect {
	d := usual("pingam")
	d.subjectForm = typedText
	d.username = []string{"username", "subname"}
	d.uses = append(d.uses, "tokenName")
	d.permissions = nil // UMA: objects, not names
	d.jwt = local{types: []string{"JWT", "at+jwt"}, omits: []string{"client_id"}}
	return d
}

// Its documentation. The answer about a refresh token is active and nothing more. Which claims a JWT has is configured
// there.
func pingfederate() dialect {
	d := usual("pingfederate")
	d.untyped = authz.RefreshToken
	d.jwt = local{
		types: []string{"at+jwt", "JWT", ""}, omits: []string{"sub", "iat", "jti"},
		evidence: []evidence{{kind: authz.IDToken, without: []string{"client_id"}}},
	}
	return d
}

// Its documentation and its phantom token modules. 204 says inactive; purpose is the kind.
func curity() dialect {
	d := usual("curity")
	d.inactive = append(d.inactive, refusal{status: 204})
	d.uses = append(d.uses, "purpose")
	d.jwt = local{types: []string{"at+jwt", "JWT", ""}, omits: []string{"client_id"}}
	return d
}

// Its source. aut is the type of the subject and the only evidence of it: an application's token names the
// application's owner in username. An opaque token has no sub, and username is the subject then.
func wso2() dialect {
	d := usual("wso2")
	d.subject = []string{"sub", "username"}
	d.subjectTypes = wordlist{"aut", map[string]authz.SubjectType{"APPLICATION": authz.Client,
		"APPLICATION_USER": authz.User}}
	d.person = nil
	d.jwt = local{
		types:    []string{"at+jwt", "JWT"},
		evidence: []evidence{{kind: authz.IDToken, without: []string{"aut"}}},
	}
	return d
}

// Recorded: Spring Authorization Server 7.1.2. Refresh and ID tokens are called active and have no token_type; an ID
// token has azp. aud is the client. A JWT has no typ and no client_id, and an ID token of a client is told by azp
// again.
//
// A revoked JWT is inactive; one whose user logged out stays active.
func spring() dialect {
	d := usual("spring")
	d.ends = RevokedTokens
	d.evidence = []evidence{{kind: authz.IDToken, with: []string{"azp"}, without: []string{"token_type"}}}
	d.untyped = authz.RefreshToken
	d.jwt = local{
		types: []string{"", "at+jwt"}, omits: []string{"client_id"},
		evidence: []evidence{{kind: authz.IDToken, with: []string{"azp"}, without: []string{"scope"}}},
	}
	return d
}

// Recorded: node oidc-provider 9.13.3. It leaves token_type out for refresh tokens only, and sub for
// client_credentials only. An ID token without nonce is told by its client_id, which it lacks.
//
// It answers nothing about JWTs: asked about one it says unsupported_token_type, so that none is called active after
// its end.
func oidcProvider() dialect {
	d := usual("oidc-provider")
	d.ends = EndedSessions
	d.withSubject = authz.User
	d.withoutSubject = authz.Client
	d.untyped = authz.RefreshToken
	d.jwt.evidence = []evidence{{kind: authz.IDToken, without: []string{"client_id"}}}
	return d
}

// Recorded: 7.8.0. token_usage is the kind. username is the claim name, a display name that hosts give to clients too:
// it is no evidence of a person. A client outside the audience is told neither scope nor username.
//
// A JWT is inactive once it or its authorization is revoked (where token storage is on), and stays active after a
// logout.
func openiddict() dialect {
	d := usual("openiddict")
	d.ends = RevokedTokens
	d.roles = []string{"role", "roles"}
	d.username = []string{"username", "name"} // the former in answers, the latter in JWTs
	d.person = []string{"sid", "auth_time"}
	d.toldWith = []string{"scope"}
	return d
}

// Its documentation. Short names in JWTs: scp, cid.
func connect2id() dialect {
	d := usual("connect2id")
	d.jwt.omits = []string{"client_id"}
	return d
}

// Its documentation: both token dialects. No endpoint. An ID token names no client but in aud.
func auth0() dialect {
	d := unasked("auth0")
	d.subjectTypes = wordlist{"gty", map[string]authz.SubjectType{"client-credentials": authz.Client,
		"password": authz.User}}
	d.account = account{after: "@clients"}
	d.withSubject = authz.User
	d.jwt = local{
		types: []string{"at+jwt", "JWT"}, omits: []string{"client_id", "jti"},
		evidence: []evidence{{kind: authz.IDToken, without: []string{"azp", "client_id"}}},
	}
	return d
}

// Its documentation. No endpoint. The subject is sub, one for each client; oid, the same everywhere, is in the claims
// for policies that want it. Only access tokens have azp (v2.0) or appid (v1.0). Someone signed in where there is scp.
func entra() dialect {
	d := unasked("entra")
	d.clientID = []string{"azp", "appid"}
	d.username = []string{"preferred_username", "upn", "unique_name"}
	d.scopes = []string{"scp"}
	d.subjectTypes = wordlist{"idtyp", map[string]authz.SubjectType{"app": authz.Client, "user": authz.User}}
	d.person = []string{"scp"}
	d.jwt = local{
		types: []string{"JWT"}, omits: []string{"client_id", "jti"},
		evidence: []evidence{{kind: authz.IDToken, without: []string{"azp", "appid"}}},
	}
	return d
}

// Its documentation. No endpoint. token_use is always there; aud is not in access tokens.
func cognito() dialect {
	d := unasked("cognito")
	d.groups = []string{"cognito:groups"}
	d.person = []string{"username"} // a client's own token has auth_time too
	d.jwt = local{
		types: []string{"", "JWT"}, omits: []string{"aud"},
		evidence: []evidence{{kind: authz.IDToken, without: []string{"token_use"}}},
	}
	return d
}

// Its documentation: the tokeninfo endpoint, for access tokens only, and for those of every client there is. Every
// value is text, 200 is active, 400 inactive.
func google() dialect {
	d := usual("google")
	d.ask = Request{Encoding: Form, Parameter: "access_token", Accept: "application/json"}
	d.inactive = []refusal{{status: 400, mediaType: "application/json", error: "invalid_token"}}
	d.signs = []string{"aud", "exp"}
	d.audience = audienceNeeded
	d.clientID = []string{"azp"}
	d.username = []string{"email"}
	d.clock = secondsInText
	d.person, d.assigned = nil, true // a service account has an address too, and an id that is its client's
	d.untyped = authz.AccessToken
	d.jwt = local{}
	return d
}

// Its REST documentation: "check a token". 200 is active, 404 inactive. 422 is not: it is also what GitHub says when
// asked too often. A refresh token begins with ghr_.
func github() dialect {
	d := usual("github")
	d.ask = Request{Encoding: JSON, Parameter: "access_token", Accept: "application/vnd.github+json"}
	d.inactive = []refusal{{status: 404, mediaType: "application/json"}}
	d.signs = []string{"app", "token"}
	d.refusedPrefixes = []string{"ghr_"}
	d.subject, d.subjectForm = []string{"/user/id"}, wholeNumber
	d.clientID = []string{"/app/client_id"}
	d.username = []string{"/user/login"}
	d.scopes = []string{"scopes"}
	d.issued, d.notBefore, d.expires, d.clock = "created_at", "", "expires_at", dates
	d.credentials = []string{"token", "hashed_token", "token_last_eight"}
	d.subjectTypes = wordlist{"/user/type", map[string]authz.SubjectType{"User": authz.User}}
	d.person = nil
	d.untyped = authz.AccessToken
	d.jwt = local{}
	return d
}

func names() []string {
	var names []string
	for _, d := range rows() {
		names = append(names, d.name)
	}
	return names
}

// named finds a row of the table. The empty name is the documented default; Check has refused unknown ones.
func named(name string) dialect {
	all := rows()
	for _, d := range all {
		if d.name == name {
			return d
		}
	}
	return all[0]
}
