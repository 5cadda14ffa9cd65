package oauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// ClientSecretBasic is the default of client.auth.
const ClientSecretBasic = "client_secret_basic"

func clientSecretBasic() authMethod {
	return authMethod{
		name: ClientSecretBasic, standard: true, proof: headerProof,
		must: []string{"id", "secret"}, may: []string{"basic_encoding"},
		registration: "client.secret; if id or secret hold other than letters and digits, try " +
			"client.basic_encoding: raw, " +
			"or client.auth: client_secret_post",
		check:      checkBasic,
		credential: sharedSecret,
		authenticate: func(c Config, i identity, header http.Header, _ url.Values) error {
			header.Set("Authorization", "Basic "+c.Client.basic(i.secret))
			return nil
		},
	}
}

func checkBasic(c Config, report func(key, cause, hint string)) {
	if c.Client.BasicEncoding == "raw" && strings.Contains(c.Client.ID, ":") {
		report("client.id", "holds a colon, which raw Basic credentials cannot carry",
			"set client.basic_encoding to form")
	}
}

// sharedSecret is the credential of the methods that send the client secret.
func sharedSecret(c Client) credential {
	return credential{
		parts: []keyfile.Part{keyfile.Secret("client.secret", c.Secret)},
		parse: func(t []secret.Text) (identity, error) { return identity{secret: t[0]}, nil },
	}
}

// basic encodes id and secret separately before it joins them (RFC 6749 section 2.3.1): either may hold a colon.
func (c Client) basic(s secret.Text) string {
	id, password := c.ID, s.Reveal()
	if c.BasicEncoding != "raw" {
		id, password = url.QueryEscape(id), url.QueryEscape(password)
	}
	return base64.StdEncoding.EncodeToString([]byte(id + ":" + password))
}
