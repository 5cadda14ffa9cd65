package oauth

// ClientCredentials gets an access token by the client_credentials grant (RFC 6749 section 4.4), authenticated by the
// method of token_auth, and shows that token.
const ClientCredentials = "client_credentials"

func clientCredentials() authMethod {
	return authMethod{name: ClientCredentials, proof: bearerProof, registration: "client.secret"}
}

func (c Config) checkClientCredentials(report func(key, cause, hint string)) {
	if c.Issuer == "" && c.TokenEndpoint == "" {
		report("token_endpoint", "neither it nor issuer is set",
			"name the endpoint, or the issuer whose metadata names it")
	}
}
