package oauth

import (
	"fmt"
	"slices"
)

// clientKey is a key of Client: whether it is set to something else than its default, and cause and hint for one that
// is missing.
type clientKey struct {
	name        string
	set         bool
	cause, hint string
}

func (c Client) keys() []clientKey {
	const unset = "names neither a file nor an environment variable"
	other := func(value, standard string) bool { return value != "" && value != standard }
	return []clientKey{
		{"id", c.ID != "", "is empty", "name the client that the authorization server knows this sidecar by"},
		{"secret", !c.Secret.IsZero(), unset, "set client.secret.file or client.secret.env"},
		{"key", !c.Key.IsZero(), unset, "set client.key.file or client.key.env"},
		{"certificate_file", c.CertificateFile != "", "is empty",
			"name the PEM file of the certificate that the authorization server knows"},
		{"certificate_key", !c.CertificateKey.IsZero(), unset,
			"set client.certificate_key.file or client.certificate_key.env"},
		{"key_id", c.KeyID != "", "", ""},
		{"signing_alg", other(c.SigningAlg, autoAlgorithm), "", ""},
		{"assertion_audience", c.AssertionAudience != "", "", ""},
		{"assertion_type", other(c.AssertionType, defaultAssertionType), "", ""},
		{"basic_encoding", other(c.BasicEncoding, "form"), "", ""},
		{"scope", len(c.Scope) > 0, "", ""},
		{"token_auth", other(c.TokenAuth, ClientSecretBasic), "", ""},
	}
}

func (c Config) checkClient(report func(key, cause, hint string)) {
	m := c.Client.method()
	c.checkKeys(m, report)
	if m.check != nil {
		m.check(c, report)
	}
	if c.Client.Auth == ClientCredentials {
		c.checkClientCredentials(report)
	}
}

// checkKeys reports each key of Client that m needs and that is not set, and each that is set and has no effect.
func (c Config) checkKeys(m authMethod, report func(key, cause, hint string)) {
	may, name := m.may, "auth "+m.name
	if c.Client.Auth == ClientCredentials {
		may, name = slices.Concat(m.may, []string{"scope", "token_auth"}), "token_auth "+m.name
	}
	for _, k := range c.Client.keys() {
		needed := slices.Contains(m.must, k.name)
		switch {
		case needed && !k.set:
			report("client."+k.name, k.cause, k.hint)
		case k.set && !needed && !slices.Contains(may, k.name):
			report("client."+k.name, fmt.Sprintf("is set, and %s does not use it", name),
				"remove it, or choose the method that uses it")
		}
	}
}
