// Package upstreamkeys is the door by which applications get the public keys of the tokens that the sidecar signs for
// them. What it serves is public.
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

const (
	id   = "upstreamTokenKeys"
	path = "/.well-known/jwks.json"
	tag  = "Signed identity"
)

// maxAge is how long applications may keep the keys, in seconds. A key must be published for that long before it
// signs.
const maxAge = 60

// Mount returns the door of the keys of tokens. A nil issuer answers 404.
func Mount(tokens *upstreamtoken.Issuer) door.Mount {
	object := &jsonschema.Schema{Type: "object"}
	return door.Mount{
		Door: description.Door{
			Tags: []description.Tag{{Name: tag,
				Description: "Public keys of the tokens that the sidecar signs for applications. They are public."}},
			Operations: []description.Operation{{
				Method: http.MethodGet, Path: path, Listeners: []string{"api"}, ID: id, Tag: tag,
				Summary: "Keys of the signed identity",
				About:   "A JWK Set (RFC 7517): a key for each of `upstream_token.key_files`.",
				Needs:   description.NoName, Head: true, OwnErrors: true,
				Answers: []description.Answer{
					{Status: http.StatusOK, About: "The keys.", MediaType: "application/jwk-set+json", Schema: object},
					{Status: http.StatusNotFound, About: "No tokens are signed.", MediaType: "application/json",
						Schema: object},
				},
			}},
		},
		Handlers: map[string]http.Handler{id: keySet{tokens}},
	}
}

type keySet struct{ of *upstreamtoken.Issuer }

func (k keySet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	body, status := k.of.KeySet(), http.StatusOK
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(maxAge))
	if body == nil {
		body, status = off(), http.StatusNotFound
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // fails only when the caller is gone
	}
}

// off is what is said where no tokens are signed.
func off() []byte {
	body, err := json.Marshal(map[string]*door.CallError{"error": door.NewCallError(http.StatusNotFound, "not_found",
		"no tokens are signed for the upstream: upstream_token.key_files of the configuration turns it on", "")})
	if err != nil {
		return []byte("{}")
	}
	return body
}
