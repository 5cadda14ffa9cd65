package jose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// maxKeys bounds a key set. Real ones hold a dozen.
const maxKeys = 1000

// keySet is a set of keys that does not change.
type keySet struct {
	all      []Key
	distinct []Key            // those of all that differ in more than their names
	byID     map[string][]Key // "" for those without a name
	ignored  []Ignored
}

// readKeySet reads a JWK Set (RFC 7517 section 5) and leaves out the keys that may not be used: one that is damaged
// costs none but itself. When none is left, the error is errNoUsableKey, and the keySet says why.
func readKeySet(jwks []byte) (*keySet, error) {
	values, err := keysOf(jwks)
	if err != nil {
		return nil, err
	}
	r := &keySet{byID: map[string][]Key{}}
	known := map[string]bool{}
	for i, v := range values {
		k, err := readKey(v)
		if err != nil {
			r.ignored = append(r.ignored, ignore(i, v, err))
			continue
		}
		r.all = append(r.all, k)
		r.byID[k.id] = append(r.byID[k.id], k)
		if print, err := k.thumbprint(); err != nil || !known[print+k.alg] {
			r.distinct = append(r.distinct, k)
			known[print+k.alg] = true
		}
	}
	switch {
	case len(r.all) > 0:
		return r, nil
	case len(r.ignored) > 0:
		return r, fmt.Errorf("%w: %s", errNoUsableKey, causes(r.ignored))
	}
	return r, errNoUsableKey
}

var (
	errNoKeySet    = errors.New("read key set: it is no JWK Set")
	errNoUsableKey = errors.New("read key set: it holds no key that can be used")
)

// keysOf takes a set apart without reading its keys: whatever is wrong inside one of them is found when that one is
// read.
func keysOf(jwks []byte) ([]jsontext.Value, error) {
	lenient := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	d := jsontext.NewDecoder(bytes.NewReader(bytes.TrimPrefix(jwks, []byte("\ufeff"))), lenient...)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, errNoKeySet
	}
	var list jsontext.Value
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, errNoKeySet
		}
		isKeys := name.String() == "keys"
		v, err := d.ReadValue()
		if err != nil || isKeys && (list != nil || v.Kind() != '[') {
			return nil, errNoKeySet
		}
		if isKeys {
			list = v.Clone()
		}
	}
	if _, err := d.ReadToken(); err != nil || list == nil {
		return nil, errNoKeySet
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errNoKeySet
	}
	var keys []jsontext.Value
	if json.Unmarshal(list, &keys, json.JoinOptions(lenient...)) != nil {
		return nil, errNoKeySet
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("read key set: it holds over %d keys", maxKeys)
	}
	return keys, nil
}

// causes names the first few keys that are ignored.
func causes(ignored []Ignored) string {
	var all []string
	for _, k := range ignored[:min(len(ignored), 3)] {
		all = append(all, k.String())
	}
	if more := len(ignored) - len(all); more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, "; ")
}

// find returns the keys that fit. A name in the header means the keys of that name; when none has it, those that have
// no name: "kid" is optional in a key and a hint in a header (RFC 7517 section 4.5, RFC 7515 section 4.1.4). A header
// without a name may mean any key.
func (r *keySet) find(h Header) []Key {
	from := r.distinct
	if h.KeyID != "" {
		if from = r.byID[h.KeyID]; len(from) == 0 {
			from = r.byID[""]
		}
	}
	var found []Key
	for _, k := range from {
		if k.fits(h) && len(found) < maxCandidates {
			found = append(found, k)
		}
	}
	return found
}

// Find makes a keySet a KeySource.
func (r *keySet) Find(_ context.Context, h Header) ([]Key, error) { return r.find(h), nil }

// StaticKeys is a KeySource of the public keys in a JWK Set. One without a key that can be used is an error.
func StaticKeys(jwks []byte) (KeySource, error) {
	r, err := readKeySet(jwks)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// SharedSecret is a KeySource of one secret that both sides know, for HS256, HS384 and HS512. It fits whatever key a
// header names. A secret that is shorter than the hash verifies nothing (RFC 7518 section 3.2).
func SharedSecret(s secret.Text) KeySource { return shared{s} }

type shared struct{ secret secret.Text }

func (s shared) Find(_ context.Context, h Header) ([]Key, error) {
	return []Key{{id: h.KeyID, family: familyHMAC, material: s.secret}}, nil
}
