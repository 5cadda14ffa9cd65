package dialect

import "strings"

// Advice is what the operator of one kind of server should know when its tokens are not accepted: the words of the
// doctor that differ from server to server. Of an empty field there is nothing to say but what is true of every
// server. {client} stands for client.id.
type Advice struct {
	// Inactive is what "not active" may hide.
	Inactive string
	// NoAudience is what gives a token an audience.
	NoAudience string
	// NoScope is why an answer may name no scope.
	NoScope string
	// WrongKind is what a refusal of the kind of a token (400 unsupported_token_type) says about it.
	WrongKind string
	// MayNotAsk lets a client introspect that the server knows and refuses.
	MayNotAsk string
	// Unproved is what an answer about an unknown token leaves open about the sidecar's client.
	Unproved string
	// Indistinct is set where not even credentials show in an answer about an unknown token.
	Indistinct bool
	// AssertionAudience says which aud of a client's assertion the server takes. IssuerOnly is set where it is the
	// issuer alone, and where nothing but inactive answers shows another one.
	AssertionAudience string
	IssuerOnly        bool
	// Unsigned is set where the server has no signed answers (RFC 9701).
	Unsigned bool
	// Encrypted and Reference are the server's switches that make its access tokens JWTs which can be validated
	// locally.
	Encrypted, Reference string
	// OwnToken says why the sidecar, registered as it should be, gets no token of its own.
	OwnToken string
	// Misplaced is a member that only an answer to a wrongly registered client has, and what to register instead.
	Misplaced struct{ Member, Says, Do string }
}

// Advice is that of the dialect of c, for a client of that id.
func (c Config) Advice(clientID string) Advice {
	a := advices()[c.Dialect]
	for _, text := range []*string{&a.Inactive, &a.NoAudience, &a.NoScope, &a.WrongKind, &a.MayNotAsk, &a.Unproved,
		&a.Misplaced.Says, &a.Misplaced.Do} {
		*text = strings.ReplaceAll(*text, "{client}", clientID)
	}
	return a
}

// advices is the table of remedies, by dialect. What is true of every server stands in the doctor.
func advices() map[string]Advice {
	return map[string]Advice{
		"keycloak": {
			Inactive:          `from 26.6.2 on Keycloak tells a client of a token only when it is in the token's aud; the reason stands in Keycloak's own log. Give the client scope an audience mapper that adds "{client}" (for the sidecar's own tokens too)`,
			NoAudience:        `give the client scope an audience mapper that adds "{client}"`,
			AssertionAudience: "Keycloak takes the issuer, to the letter, and the token or the introspection endpoint",
			Unsigned:          true,
		},
		"duende": duendeAdvice(),
		"openiddict": {
			Inactive: "OpenIddict tells of tokens that have the client among their audiences, or were " +
				"issued to it; with private_key_jwt it answers so about every token when the assertion's aud is not " +
				"the issuer: leave client.assertion_audience out",
			NoAudience: "the scope has no resources at the server: register them with it (Resources of the " +
				"scope), and ask for that scope",
			NoScope:   `OpenIddict tells scopes to clients in the token's aud only: add "{client}" to the resources of the scope; the scopes of a token without aud are in no answer`,
			WrongKind: "this looks like an ID token or an authorization code: send the access token",
			MayNotAsk: "give the client the permission for the introspection endpoint " +
				"(Permissions.Endpoints.Introspection)",
			Unproved:          "whether the client may introspect shows only with a token that the server knows",
			AssertionAudience: "OpenIddict takes the issuer only, and assertion_type client-authentication+jwt",
			IssuerOnly:        true,
			Unsigned:          true,
			Encrypted: "OpenIddict encrypts access tokens by default: switch that off there " +
				"(DisableAccessTokenEncryption)",
			Reference: "OpenIddict issues reference tokens (UseReferenceAccessTokens) or Data Protection " +
				"tokens (UseDataProtection): switch that off there",
		},
		"zitadel": {
			Inactive: `Zitadel tells a client of tokens that have it, or its project, in aud: ask for the scope urn:zitadel:iam:org:project:id:PROJECT:aud; errors inside Zitadel look the same (client "{client}")`,
			Unsigned: true,
		},
		"authentik": {
			Inactive: "authentik answers so when it does not accept the sidecar's credentials, and for tokens of " +
				"providers that are not federated with the sidecar's",
			Unproved: "authentik says the same about a token when it does not take the credentials: try a token " +
				"that must be good, with sidecar introspect",
			Indistinct: true,
			Unsigned:   true,
		},
		"oidc-provider": {
			Inactive: "node oidc-provider introspects opaque tokens only, and its allowedPolicy decides who may",
			WrongKind: "node oidc-provider introspects opaque tokens only: set mode to introspect_opaque, which " +
				"validates JWTs here",
			NoScope: "a token that was got without a scope has none",
		},
		"pingam": {Inactive: "the client needs the scope am-introspect-all-tokens to be told of tokens of others"},
		"spring": {Inactive: "this server tells every client, so the token has ended, or is not its", Unsigned: true},
		"hydra":  {Inactive: "this server tells every client, so the token has ended, or is not its", Unsigned: true},
		"okta":   {Unsigned: true},
		"google": {Unsigned: true},
		"github": {Unsigned: true},
	}
}

func duendeAdvice() Advice {
	a := Advice{
		Inactive: "an API resource is told of tokens that hold one of its own scopes: add this API's scope " +
			"to the client, and ask for it. A client is told of its own tokens only: the sidecar must be an API " +
			"resource",
		NoScope:           "none of the token's scopes is one of this API resource",
		AssertionAudience: "Duende takes the issuer and the token endpoint, as text, and each assertion once",
		Reference:         "the client has AccessTokenType.Reference: choose Jwt there",
		OwnToken:          "an API resource of Duende gets no tokens",
	}
	a.Misplaced.Member = "token_type"
	a.Misplaced.Says =
		`the answer is one for a client (it has token_type), and a client is told of its own tokens only: every other token will be "not active"`
	a.Misplaced.Do = "register an API resource (ApiResource) with a secret and the API's scopes, and give client.id " +
		"its name"
	return a
}
