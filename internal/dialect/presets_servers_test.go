package dialect

import "github.com/authz-sidecar/sidecar/internal/authz"

func keycloakAnswers() []example {
	return []example{
		{"a person",
			`{"exp":1700000300,"iat":1700000000,"jti":"onrtac:1","iss":"https://kc/realms/r","aud":["api","account"],"sub":"0f1e","typ":"Bearer","azp":"web","sid":"s1","acr":"1",
			"realm_access":{"roles":["r1"]},"resource_access":{"api":{"roles":["x"]}},"scope":"openid profile","preferred_username":"al","username":"al","client_id":"web","token_type":"Bearer",
			"active":true,"cnf":{"x5t#S256":"bwcK"},"act":{"sub":"admin"}}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://kc/realms/r", ID: "onrtac:1", SessionID: "s1",
				Subject: person("0f1e", "al"), ClientID: "web",
				Scopes: []string{"openid", "profile"}, Audiences: []string{"account", "api"},
				Roles: []string{"api:x", "r1"}, Auth: authz.Authentication{ACR: "1"},
				Actor: &authz.Actor{Subject: "admin"}, Confirmation: authz.Confirmation{X5T: "bwcK"},
				IssuedAt: 1700000000, ExpiresAt: 1700000300}},
		{"a service account",
			`{"active":true,"sub":"77aa","typ":"Bearer","token_type":"Bearer","client_id":"job","azp":"job","username":"service-account-job","jti":"trrtcc:2"}`,
			authz.Claims{Kind: authz.AccessToken, ID: "trrtcc:2", ClientID: "job",
				Subject: authz.Subject{ID: "77aa", Type: authz.Client, Username: "service-account-job"}}},
		{"an offline token",
			`{"active":true,"sub":"0f1e","typ":"Offline","token_type":"Offline","client_id":"web","aud":"api"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: someone("0f1e"), ClientID: "web",
				Audiences: []string{"api"}}},
		{"a member that is a token", `{"active":true,"sub":"0f1e","typ":"Bearer","jwt":"the-token"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: someone("0f1e")}},
	}
}

func duendeAnswers() []example {
	return []example{
		{"a person",
			`{"iss":"https://ids","nbf":1700000000,"iat":1700000000,"exp":1700003600,"aud":["api1","urn:r2"],"scope":"api1.read","client_id":"web","sub":"1","auth_time":1699999990,"idp":"local","amr":"pwd","role":["a","b"],"active":true}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://ids", Subject: person("1", ""), ClientID: "web",
				Scopes: []string{"api1.read"}, Audiences: []string{"api1", "urn:r2"}, Roles: []string{"a", "b"},
				Auth: authz.Authentication{AMR: []string{"pwd"}, Time: 1699999990}, IssuedAt: 1700000000,
				NotBefore: 1700000000, ExpiresAt: 1700003600}},
		{"a client", `{"active":true,"client_id":"job","scope":"api1.read","role":"a"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: program("job"), ClientID: "job",
				Scopes: []string{"api1.read"}, Roles: []string{"a"}}},
		{"a refresh token, as a client asks",
			`{"active":true,"client_id":"web","sub":"1","token_type":"refresh_token"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: someone("1"), ClientID: "web"}},
	}
}

func hydraAnswers() []example {
	return []example{
		{"someone",
			`{"active":true,"scope":"a b","client_id":"web","sub":"1","aud":["api"],"iss":"https://hydra","iat":1700000000,"nbf":1700000000,"exp":1700003600,"token_type":"Bearer","token_use":"access_token","ext":{"roles":["r"],"groups":"g"},"username":"","obfuscated_subject":""}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://hydra", Subject: someone("1"), ClientID: "web",
				Scopes: []string{"a", "b"}, Audiences: []string{"api"}, Roles: []string{"r"}, Groups: []string{"g"},
				IssuedAt: 1700000000, NotBefore: 1700000000, ExpiresAt: 1700003600}},
		{"trap 7: a refresh token",
			`{"active":true,"client_id":"web","sub":"1","token_type":"Bearer","token_use":"refresh_token"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: someone("1"), ClientID: "web"}},
		{"a client",
			`{"active":true,"client_id":"job","sub":"job","aud":[],"token_type":"Bearer","token_use":"access_token"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: program("job"), ClientID: "job", Audiences: []string{}}},
	}
}

func zitadelAnswers() []example {
	return []example{
		{"trap 15: a human with roles",
			`{"active":true,"scope":"openid profile","client_id":"c1","token_type":"Bearer","exp":1700003600,"iat":1700000000,"nbf":1700000000,"sub":"u1","aud":["c1","p1"],"iss":"https://z","jti":"j",
			"username":"al@org","name":"Al","given_name":"Al","locale":null,"urn:zitadel:iam:org:project:roles":{"admin":{"o1":"a.example","o2":"b.example"},"guest":{}},
			"urn:zitadel:iam:org:project:p1:roles":{"admin":{"o1":"a.example"}},"urn:zitadel:iam:org:project:p2:roles":"odd"}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://z", ID: "j", Subject: person("u1", "al@org"),
				ClientID: "c1", Scopes: []string{"openid", "profile"}, Audiences: []string{"c1", "p1"},
				Roles: []string{"admin", "o1:admin", "o2:admin", "p1:admin", "p1:o1:admin"}, IssuedAt: 1700000000,
				NotBefore: 1700000000, ExpiresAt: 1700003600}},
		{"a machine, which has a user name too",
			`{"active":true,"client_id":"robot","sub":"m1","username":"robot@org","name":"Robot","token_type":"Bearer"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: authz.Subject{ID: "m1", Type: authz.UnknownType,
				Username: "robot@org"}, ClientID: "robot"}},
	}
}

func authentikAnswers() []example {
	return []example{
		{"client_id is who asks",
			`{"iss":"https://ak/application/o/web/","sub":"9b2e","aud":"web","exp":1700003600,"iat":1700000000,"auth_time":1699999990,"acr":"goauthentik.io/providers/oauth2/default","amr":["pwd"],"sid":"s","groups":["g1","g2"],
			"preferred_username":"al","azp":"web","active":true,"scope":"openid","client_id":"the-api"}`,
			authz.Claims{Kind: authz.UnknownToken, Issuer: "https://ak/application/o/web/", SessionID: "s",
				Subject: person("9b2e", "al"), ClientID: "web", Scopes: []string{"openid"}, Audiences: []string{"web"},
				Groups: []string{"g1", "g2"},
				Auth: authz.Authentication{ACR: "goauthentik.io/providers/oauth2/default", AMR: []string{"pwd"},
					Time: 1699999990}, IssuedAt: 1700000000, ExpiresAt: 1700003600}},
		{"a service account has a name and an auth_time too",
			`{"active":true,"sub":"77","aud":"job","auth_time":1699999990,"preferred_username":"ak-job","scope":"","client_id":"job"}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: authz.Subject{ID: "77", Type: authz.UnknownType,
				Username: "ak-job"}, ClientID: "job", Audiences: []string{"job"},
				Auth: authz.Authentication{Time: 1699999990}}},
	}
}

func oktaAnswers() []example {
	return []example{
		{"a person",
			`{"active":true,"token_type":"Bearer","scope":"openid","client_id":"0oa1","username":"al@x","exp":1700003600,"iat":1700000000,"sub":"al@x","aud":"api://default","iss":"https://x.okta.com/oauth2/default","jti":"AT.1","uid":"00u1"}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://x.okta.com/oauth2/default", ID: "AT.1",
				Subject: person("00u1", "al@x"), ClientID: "0oa1", Scopes: []string{"openid"},
				Audiences: []string{"api://default"}, IssuedAt: 1700000000, ExpiresAt: 1700003600}},
		{"a client",
			`{"active":true,"token_type":"Bearer","scope":"x","client_id":"0oa1","exp":1700003600,"iat":1700000000,"sub":"0oa1","aud":"api://default","jti":"AT.2"}`,
			authz.Claims{Kind: authz.AccessToken, ID: "AT.2", Subject: program("0oa1"), ClientID: "0oa1",
				Scopes: []string{"x"}, Audiences: []string{"api://default"}, IssuedAt: 1700000000,
				ExpiresAt: 1700003600}},
		{"trap 7: a refresh token is Bearer too",
			`{"active":true,"token_type":"Bearer","scope":"openid offline_access","client_id":"0oa1","username":"al@x","exp":1700003600,"sub":"al@x","device_id":"q4SZ"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: authz.Subject{ID: "al@x", Type: authz.UnknownType,
				Username: "al@x"}, ClientID: "0oa1", Scopes: []string{"offline_access", "openid"},
				ExpiresAt: 1700003600}},
		{"an ID token",
			`{"active":true,"sub":"00u1","aud":"0oa1","iss":"https://x.okta.com","iat":1700000000,"exp":1700003600,"jti":"ID.1","at_hash":"fPls"}`,
			authz.Claims{Kind: authz.IDToken, Issuer: "https://x.okta.com", ID: "ID.1", Subject: someone("00u1"),
				Audiences: []string{"0oa1"}, IssuedAt: 1700000000, ExpiresAt: 1700003600}},
	}
}

func pingamAnswers() []example {
	return []example{
		{"a user",
			`{"active":true,"scope":"openid","realm":"/alpha","client_id":"web","user_id":"al","username":"al","token_type":"Bearer","exp":1700003600,"sub":"(usr!al)","subname":"al","iss":"https://am/oauth2","auth_level":0,"authGrantId":"g","auditTrackingId":"t","expires_in":3599}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://am/oauth2", Subject: person("al", "al"),
				ClientID: "web", Scopes: []string{"openid"}, Auth: authz.Authentication{HasLevel: true},
				ExpiresAt: 1700003600}},
		{"an agent", `{"active":true,"client_id":"job","token_type":"Bearer","sub":"(age!job)","subname":"job"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: authz.Subject{ID: "job", Type: authz.Client,
				Username: "job"}, ClientID: "job"}},
		{"JAT-6: a user called like the client",
			`{"active":true,"client_id":"job","token_type":"Bearer","sub":"(usr!job)"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: person("job", ""), ClientID: "job"}},
		{"an unknown prefix", `{"active":true,"client_id":"web","username":"al","sub":"(xyz!al)"}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: authz.Subject{ID: "(xyz!al)", Type: authz.UnknownType,
				Username: "al"}, ClientID: "web"}},
		{"a whole key in cnf",
			`{"active":true,"token_type":"Bearer","sub":"(usr!al)","client_id":"web","cnf":{"jwk":` + rfc7638Key +
				`}}`,
			authz.Claims{Kind: authz.AccessToken, Subject: person("al", ""), ClientID: "web",
				Confirmation: authz.Confirmation{JKT: rfc7638Thumbprint}}},
		{"a refresh token",
			`{"active":true,"token_type":"Bearer","tokenName":"refresh_token","sub":"(usr!al)","client_id":"web"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: person("al", ""), ClientID: "web"}},
	}
}

// The example of RFC 7638 section 3.1.
const (
	rfc7638Key = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz` +
		`qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	rfc7638Thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
)

func pingfederateAnswers() []example {
	return []example{
		{"an access token",
			`{"active":true,"scope":"edit","client_id":"web","token_type":"Bearer","exp":1700003600,"username":"al","sub":"al"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: person("al", "al"), ClientID: "web",
				Scopes: []string{"edit"}, ExpiresAt: 1700003600}},
		{"trap 7: a refresh token is active and nothing more", `{"active":true}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: someone("")}},
	}
}

func curityAnswers() []example {
	return []example{
		{"an access token",
			`{"active":true,"purpose":"access_token","token_type":"bearer","sub":"al","client_id":"web","aud":"api","scope":"read","iss":"https://curity/oauth/v2/oauth-anonymous","iat":1700000000,"nbf":1700000000,"exp":1700000300,"delegationId":"d"}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://curity/oauth/v2/oauth-anonymous",
				Subject: someone("al"), ClientID: "web", Scopes: []string{"read"}, Audiences: []string{"api"},
				IssuedAt: 1700000000, NotBefore: 1700000000, ExpiresAt: 1700000300}},
		{"an ID token", `{"active":true,"purpose":"id","sub":"al","aud":"web"}`,
			authz.Claims{Kind: authz.IDToken, Subject: someone("al"), Audiences: []string{"web"}}},
	}
}

func wso2Answers() []example {
	return []example{
		{"an opaque token of a user",
			`{"active":true,"scope":"a b","client_id":"web","username":"al@carbon.super","token_type":"Bearer","exp":1700003600,"iat":1700000000,"nbf":1700000000,"aut":"APPLICATION_USER","org_id":"o","act":"boss"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: person("al@carbon.super", "al@carbon.super"),
				ClientID: "web", Scopes: []string{"a", "b"}, Actor: &authz.Actor{Subject: "boss"},
				IssuedAt: 1700000000, NotBefore: 1700000000, ExpiresAt: 1700003600}},
		{"an opaque token of an application names its owner",
			`{"active":true,"client_id":"job","username":"admin@carbon.super","token_type":"Bearer","aut":"APPLICATION"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: authz.Subject{ID: "job", Type: authz.Client,
				Username: "admin@carbon.super"}, ClientID: "job"}},
		{"a JWT",
			`{"active":true,"client_id":"web","username":"al","sub":"u1","iss":"https://is/oauth2/token","jti":"j","aud":["web","api"],"token_type":"Bearer","aut":"APPLICATION_USER","binding_type":"certificate","binding_ref":"r","cnf":{"x5t#S256":"bwcK"}}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://is/oauth2/token", ID: "j",
				Subject: person("u1", "al"), ClientID: "web", Audiences: []string{"api", "web"},
				Confirmation: authz.Confirmation{X5T: "bwcK"}}},
		{"an unknown type",
			`{"active":true,"client_id":"web","username":"al","sub":"u1","aut":"DEVICE","token_type":"Bearer"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: authz.Subject{ID: "u1", Type: authz.UnknownType,
				Username: "al"}, ClientID: "web"}},
	}
}

func springAnswers() []example {
	return []example{
		{"someone",
			`{"active":true,"sub":"alice","aud":["web"],"nbf":1795351956,"scope":"openid orders:read","roles":["admin"],"iss":"http://127.0.0.1:19311","exp":1795352556,"iat":1795351956,"jti":"b59a","client_id":"web","token_type":"Bearer"}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "http://127.0.0.1:19311", ID: "b59a",
				Subject: someone("alice"), ClientID: "web", Scopes: []string{"openid", "orders:read"},
				Audiences: []string{"web"}, Roles: []string{"admin"}, IssuedAt: 1795351956, NotBefore: 1795351956,
				ExpiresAt: 1795352556}},
		{"trap 7: a refresh token", `{"active":true,"client_id":"web","iat":1795351956,"exp":1795355556}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: someone(""), ClientID: "web", IssuedAt: 1795351956,
				ExpiresAt: 1795355556}},
		{"an ID token",
			`{"active":true,"sub":"alice","aud":["web"],"azp":"web","auth_time":"2026-11-22T12:52:35.923Z","iat":1795351956,"exp":1795353756,"client_id":"web"}`,
			authz.Claims{Kind: authz.IDToken, Subject: person("alice", ""), ClientID: "web",
				Audiences: []string{"web"}, IssuedAt: 1795351956, ExpiresAt: 1795353756}},
	}
}

func oidcProviderAnswers() []example {
	return []example{
		{"a person",
			`{"tenant":"acme","active":true,"sub":"alice","client_id":"web","exp":1795352375,"iat":1795351775,"sid":"s","iss":"http://127.0.0.1:19301","aud":"https://api.example.test","scope":"orders:read","token_type":"Bearer"}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "http://127.0.0.1:19301", SessionID: "s",
				Subject: person("alice", ""), ClientID: "web", Scopes: []string{"orders:read"},
				Audiences: []string{"https://api.example.test"}, IssuedAt: 1795351775, ExpiresAt: 1795352375}},
		{"a client", `{"active":true,"client_id":"svc","token_type":"Bearer"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: program("svc"), ClientID: "svc"}},
		{"trap 7: a refresh token", `{"active":true,"sub":"alice","client_id":"web","scope":"openid"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: person("alice", ""), ClientID: "web",
				Scopes: []string{"openid"}}},
	}
}

func openiddictAnswers() []example {
	return []example{
		{"an access token",
			`{"active":true,"iss":"https://op/","username":"al","sub":"u1","scope":"api","jti":"j","token_type":"Bearer","token_usage":"access_token","client_id":"web","iat":1700000000,"nbf":1700000000,"exp":1700003600,"aud":"api","role":"admin"}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://op/", ID: "j",
				Subject: authz.Subject{ID: "u1", Type: authz.UnknownType, Username: "al"}, ClientID: "web",
				Scopes: []string{"api"}, Audiences: []string{"api"}, Roles: []string{"admin"},
				IssuedAt: 1700000000, NotBefore: 1700000000, ExpiresAt: 1700003600}},
		{"a refresh token", `{"active":true,"sub":"u1","token_usage":"refresh_token"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: someone("u1")}},
		{"an ID token", `{"active":true,"sub":"u1","token_usage":"id_token"}`,
			authz.Claims{Kind: authz.IDToken, Subject: someone("u1")}},
		{"a code", `{"active":true,"sub":"u1","token_usage":"authorization_code"}`,
			authz.Claims{Kind: authz.RefreshToken, Subject: someone("u1")}},
	}
}

func googleAnswers() []example {
	return []example{
		{"a person",
			`{"azp":"32555.apps.googleusercontent.com","aud":"32555.apps.googleusercontent.com","sub":"1112","scope":"openid https://www.googleapis.com/auth/userinfo.email","exp":"1700003600","expires_in":"3412","email":"al@example.com","email_verified":"true","access_type":"online"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: authz.Subject{ID: "1112", Type: authz.UnknownType,
				Username: "al@example.com"}, ClientID: "32555.apps.googleusercontent.com",
				Scopes:    []string{"https://www.googleapis.com/auth/userinfo.email", "openid"},
				Audiences: []string{"32555.apps.googleusercontent.com"}, ExpiresAt: 1700003600}},
		{"a service account",
			`{"azp":"1077","aud":"1077","sub":"1077","scope":"https://www.googleapis.com/auth/cloud-platform","exp":"1700003600","email":"job@p.iam.gserviceaccount.com"}`,
			authz.Claims{Kind: authz.AccessToken, Subject: authz.Subject{ID: "1077", Type: authz.Client,
				Username: "job@p.iam.gserviceaccount.com"}, ClientID: "1077",
				Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"}, Audiences: []string{"1077"},
				ExpiresAt: 1700003600}},
	}
}

func githubAnswers() []example {
	return []example{
		{"a person",
			`{"id":1,"url":"https://api.github.com/authorizations/1","scopes":["repo","user"],"token":"the-token","token_last_eight":"he-token","hashed_token":"25f94a2a","app":{"url":"http://my-app.example","name":"my app","client_id":"Iv1.abc"},
			"note":null,"created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","expires_at":"2023-11-15T06:13:20Z","user":{"login":"octocat","id":583231,"type":"User"}}`,
			authz.Claims{Kind: authz.AccessToken, Subject: person("583231", "octocat"), ClientID: "Iv1.abc",
				Scopes: []string{"repo", "user"}, IssuedAt: 1700000000, ExpiresAt: 1700028800}},
		{"a bot, for ever",
			`{"scopes":[],"token":"the-token","app":{"client_id":"Iv1.abc"},"created_at":"2023-11-14T22:13:20Z","expires_at":null,"user":{"login":"app[bot]","id":9,"type":"Bot"}}`,
			authz.Claims{Kind: authz.AccessToken, Subject: authz.Subject{ID: "9", Type: authz.UnknownType,
				Username: "app[bot]"}, ClientID: "Iv1.abc", IssuedAt: 1700000000}},
	}
}
