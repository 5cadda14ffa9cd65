package jose

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// maxKeys bounds a key set. Real ones hold a dozen.
const maxKeys = 1000

// ring is a set of keys that does not change.
type ring struct {
	all     []Key
	byID    map[string][]Key
	ignored int // keys that may not be used
}

// readRing reads a JWK Set (RFC 7517 section 5) and leaves out the keys that may not be used.
func readRing(jwks []byte) (*ring, error) {
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if _, ok := ReadClaims(jwks); !ok || json.Unmarshal(jwks, &doc) != nil || doc.Keys == nil {
		return nil, errors.New("read key set: it is no JWK Set")
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("read key set: it holds over %d keys", maxKeys)
	}
	r := &ring{byID: map[string][]Key{}}
	for _, v := range doc.Keys {
		k, err := readKey(v)
		if err != nil {
			r.ignored++
			continue
		}
		r.all = append(r.all, k)
		r.byID[k.id] = append(r.byID[k.id], k)
	}
	if len(r.all) == 0 {
		return r, errNoUsableKey
	}
	return r, nil
}

var errNoUsableKey = errors.New("read key set: it holds no key that can be used")

// find returns the keys that fit. A name in the header means the keys of that name and no others.
func (r *ring) find(h Header) []Key {
	from := r.all
	if h.KeyID != "" {
		from = r.byID[h.KeyID]
	}
	var found []Key
	for _, k := range from {
		if k.fits(h) && len(found) < maxCandidates {
			found = append(found, k)
		}
	}
	return found
}

// Find makes a ring a KeySource.
func (r *ring) Find(_ context.Context, h Header) ([]Key, error) { return r.find(h), nil }

// StaticKeys is a KeySource of the public keys in a JWK Set. One without a key that can be used is an error.
func StaticKeys(jwks []byte) (KeySource, error) {
	r, err := readRing(jwks)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// SharedSecret is a KeySource of one secret that both sides know, for HS256, HS384 and HS512. It fits whatever key a header
// names. A secret that is shorter than the hash verifies nothing (RFC 7518 section 3.2).
func SharedSecret(s secret.Text) KeySource { return shared{s} }

type shared struct{ secret secret.Text }

func (s shared) Find(_ context.Context, h Header) ([]Key, error) {
	return []Key{{id: h.KeyID, family: familyHMAC, material: s.secret}}, nil
}
