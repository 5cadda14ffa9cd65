package upstreamtoken

import (
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The paths of what is public. IssuerPath ends issuers that have metadata: those of the root would say that tokens for
// clients are issued here, which clients of MCP look for at the host of a resource.
const (
	KeysPath   = "/.well-known/jwks.json"
	IssuerPath = "/identity"
)

// KeySet is the JWK Set of the public keys; nil when no tokens are made.
func (i *Issuer) KeySet() []byte {
	if i == nil {
		return nil
	}
	_, public := i.keys().published(time.Now())
	return object(map[string]any{"keys": public})
}

// metadata is what RFC 8414 section 2 and OpenID Connect Discovery section 3 say of an issuer that has keys, and no
// other endpoint: members that list nothing are left out (RFC 8414 section 3.2).
type metadata struct {
	Issuer     string   `json:"issuer"`
	KeysURI    string   `json:"jwks_uri"`
	Subjects   []string `json:"subject_types_supported"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
}

// Metadata is the JSON by which applications find the keys; nil when no tokens are made, or the issuer is no URL that
// ends in IssuerPath.
func (i *Issuer) Metadata() []byte {
	if i == nil || !i.cfg.discoverable() {
		return nil
	}
	return object(metadata{Issuer: i.cfg.Issuer, KeysURI: strings.TrimSuffix(i.cfg.Issuer, IssuerPath) + KeysPath,
		Subjects: []string{"public"}, Algorithms: i.keys().algs})
}

// discoverable reports whether applications can find the keys by the issuer alone.
func (c Config) discoverable() bool {
	u, err := url.Parse(c.Issuer)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil &&
		u.RawQuery == "" && u.Fragment == "" && strings.HasSuffix(c.Issuer, IssuerPath)
}

func object(v any) []byte {
	b, err := json.Marshal(v, jsontext.EscapeForHTML(false))
	if err != nil {
		return nil
	}
	return b
}
