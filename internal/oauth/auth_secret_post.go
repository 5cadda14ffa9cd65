package oauth

import (
	"net/http"
	"net/url"
)

// ClientSecretPost sends id and secret in the form: RFC 6749 section 2.3.1.
const ClientSecretPost = "client_secret_post"

func clientSecretPost() authMethod {
	return authMethod{
		name: ClientSecretPost, standard: true, proof: formProof,
		must:         []string{"id", "secret"},
		registration: "client.secret",
		credential:   sharedSecret,
		authenticate: func(c Config, i identity, _ http.Header, form url.Values) error {
			form.Set("client_id", c.Client.ID)
			form.Set("client_secret", i.secret.Reveal())
			return nil
		},
	}
}
