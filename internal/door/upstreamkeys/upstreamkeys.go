// Package upstreamkeys is the door by which applications get the public keys of the tokens that the sidecar signs for
// them, and the metadata by which they find the keys. What it serves is public.
package upstreamkeys

import (
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

const tag = "Signed identity"

// kept is what Cache-Control says of the answers: applications may keep them for a minute. A key must be published for
// that long before it signs.
const kept = "public, max-age=60"

// document is one that is served: what it is, and how it is described.
type document struct {
	id, path, summary, about, mediaType string

	// read returns the document; nil where there is none, for the reason missing.
	read    func(*upstreamtoken.Issuer) []byte
	missing string
}

// documents are all that are served. The metadata are at the paths that two standards have for an issuer with the path
// IssuerPath: libraries look at one of them, or at both in turn.
func documents() []document {
	keys := document{
		id: "upstreamTokenKeys", path: upstreamtoken.KeysPath, mediaType: "application/jwk-set+json",
		summary: "Keys of the signed identity",
		about: "A JWK Set (RFC 7517): a key for each of `upstream_token.key_files`, and those that signed until " +
			"less than `lifetime` ago.",
		read:    (*upstreamtoken.Issuer).KeySet,
		missing: "no tokens are signed for the upstream: upstream_token.key_files of the configuration turns it on",
	}
	oidc := document{
		id: "upstreamTokenConfiguration", path: upstreamtoken.IssuerPath + "/.well-known/openid-configuration",
		mediaType: "application/json",
		summary:   "Metadata of the signed identity, for libraries of OpenID Connect",
		about: "`issuer`, `jwks_uri` and the algorithms of the keys, as OpenID Connect Discovery 1.0 has them, for an " +
			"`upstream_token.issuer` that ends in `" + upstreamtoken.IssuerPath + "`. " +
			"There is no other endpoint: the sidecar logs no one in.",
		read: (*upstreamtoken.Issuer).Metadata,
		missing: "there are no metadata: upstream_token.key_files of the configuration turns the signed identity on, " +
			"and upstream_token.issuer must be a URL that ends in " + upstreamtoken.IssuerPath,
	}
	oauth := oidc
	oauth.id, oauth.path = "upstreamTokenMetadata", "/.well-known/oauth-authorization-server"+upstreamtoken.IssuerPath
	oauth.summary = "Metadata of the signed identity, for libraries of OAuth"
	oauth.about = "The same as at `" + oidc.path + "`, at the path of RFC 8414."
	return []document{keys, oidc, oauth}
}

// Mount returns the door of the keys of tokens, and of the metadata that lead to them. A nil issuer answers 404.
func Mount(tokens *upstreamtoken.Issuer) door.Mount {
	m := door.Mount{Door: description.Door{Tags: []description.Tag{{Name: tag,
		Description: "Public keys of the tokens that the sidecar signs for applications. They are public."}}},
		Handlers: map[string]http.Handler{}}
	object := &jsonschema.Schema{Type: "object"}
	for _, d := range documents() {
		m.Operations = append(m.Operations, description.Operation{
			Method: http.MethodGet, Path: d.path, Listeners: []string{"api"}, ID: d.id, Tag: tag,
			Summary: d.summary, About: d.about, Needs: description.NoName, Head: true, OwnErrors: true,
			Answers: []description.Answer{
				{Status: http.StatusOK, About: "The document.", MediaType: d.mediaType, Schema: object,
					CacheControl: kept},
				{Status: http.StatusNotFound, About: "There is none.", MediaType: "application/json", Schema: object},
			},
		})
		m.Handlers[d.id] = handler{tokens, d}
	}
	return m
}

type handler struct {
	tokens *upstreamtoken.Issuer
	document
}

func (s handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	body, status := s.read(s.tokens), http.StatusOK
	h.Set("Content-Type", s.mediaType)
	h.Set("Cache-Control", kept)
	if body == nil {
		body, status = missing(s.missing), http.StatusNotFound
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // fails only when the caller is gone
	}
}

func missing(why string) []byte {
	body, err := json.Marshal(map[string]*door.CallError{"error": door.NewCallError(http.StatusNotFound, "not_found",
		why, "")})
	if err != nil {
		return []byte("{}")
	}
	return body
}
