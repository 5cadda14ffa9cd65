package devissuer

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// party is a client or a resource server: a name with a secret.
type party struct {
	id     string
	secret [sha256.Size]byte // digest: secrets of all lengths compare in the same time
	client Client            // of a client
	// audience restricts what a resource server may know; empty does not.
	audience []string
}

func newParty(id string, key secret.Text) *party {
	return &party{id: id, secret: sha256.Sum256([]byte(key.Reveal()))}
}

func invalidClient() *problem {
	return &problem{status: http.StatusUnauthorized, code: "invalid_client",
		description: "client authentication failed"}
}

// authenticate finds the caller among known: RFC 6749 section 2.3.1.
func authenticate(known map[string]*party, r *http.Request, form url.Values) (*party, *problem) {
	id, key, p := credentials(r, form)
	if p != nil {
		return nil, p
	}
	who := known[id]
	want := [sha256.Size]byte{}
	if who != nil {
		want = who.secret
	}
	got := sha256.Sum256([]byte(key))
	// An unknown caller costs as much as a wrong secret.
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || who == nil {
		return nil, invalidClient()
	}
	return who, nil
}

// credentials reads client_secret_basic or client_secret_post, and refuses both together.
func credentials(r *http.Request, form url.Values) (id, key string, p *problem) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return form.Get("client_id"), form.Get("client_secret"), nil
	}
	if len(headers) > 1 || form.Has("client_secret") {
		return "", "", invalidRequest("more than one way of client authentication")
	}
	rawID, rawKey, ok := r.BasicAuth()
	if !ok {
		return "", "", invalidClient()
	}
	id, errID := url.QueryUnescape(rawID)
	key, errKey := url.QueryUnescape(rawKey)
	if errID != nil || errKey != nil {
		return "", "", invalidClient()
	}
	if form.Has("client_id") && form.Get("client_id") != id {
		return "", "", invalidRequest("client_id is not the client that authenticates")
	}
	return id, key, nil
}

// mayKnow reports whether a token with this audience is shown to the party (RFC 7662 section 2.2).
func (who *party) mayKnow(audience []string) bool {
	if len(who.audience) == 0 {
		return true
	}
	return slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(who.audience, a) })
}
