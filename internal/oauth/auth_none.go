package oauth

import (
	"net/http"
	"net/url"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// NoAuth sends nothing that proves who the client is.
const NoAuth = "none"

func none() authMethod {
	return authMethod{
		name: NoAuth, may: []string{"id"}, registration: "client.secret",
		credential: func(Client) credential {
			return credential{parse: func([]secret.Text) (identity, error) { return identity{}, nil }}
		},
		authenticate: func(Config, identity, http.Header, url.Values) error { return nil },
	}
}
