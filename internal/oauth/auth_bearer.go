package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// bearer sends an access token that the operator got and keeps in client.secret: RFC 6750 section 2.1.
func bearer() authMethod {
	return authMethod{
		name: "bearer", proof: bearerProof,
		must: []string{"secret"}, may: []string{"id"},
		registration: "client.secret",
		credential: func(c Client) credential {
			return credential{parts: []keyfile.Part{keyfile.Secret("client.secret", c.Secret)}, parse: parseBearer}
		},
		authenticate: func(_ Config, i identity, header http.Header, _ url.Values) error {
			header.Set("Authorization", "Bearer "+i.secret.Reveal())
			return nil
		},
	}
}

func parseBearer(t []secret.Text) (identity, error) {
	if strings.ContainsFunc(t[0].Reveal(), notInBearerToken) {
		return identity{}, errors.New("client.secret: it holds characters that no bearer token has")
	}
	return identity{secret: t[0]}, nil
}

func notInBearerToken(r rune) bool { return r <= ' ' || r >= 0x7f }
