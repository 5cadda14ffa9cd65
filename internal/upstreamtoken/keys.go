package upstreamtoken

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	maxKeys     = 8
	maxKeyBytes = 16 << 10
	lookEvery   = time.Second // between looks at the files
)

// keys are those of one content of the files.
type keys struct {
	signer *jose.Signer // the first
	kids   []string     // that of the first is the first
	public []jsontext.Value
	algs   []string  // of all, each once
	since  time.Time // when they were read
	// former are keys that signed lately, newest first: some of their tokens are not over.
	former []former
}

// former is a key that signed until other content of the files was read.
type former struct {
	kid    string
	public jsontext.Value
	until  time.Time
}

// after adds to k the keys that signed before it, those of old, each for the lifetime of its last token.
func (k *keys) after(old *keys, lifetime time.Duration) {
	k.former = append(k.former, former{old.kids[0], old.public[0], k.since.Add(lifetime)})
	for _, f := range old.former {
		if f.until.After(k.since) && len(k.former) < maxKeys {
			k.former = append(k.former, f)
		}
	}
}

// published are the kids and the public forms of all keys whose tokens may be good at a time.
func (k *keys) published(now time.Time) (kids []string, public []jsontext.Value) {
	kids, public = slices.Clone(k.kids), slices.Clone(k.public)
	for _, f := range k.former {
		if f.until.After(now) && !slices.Contains(kids, f.kid) {
			kids, public = append(kids, f.kid), append(public, f.public)
		}
	}
	return kids, public
}

func parts(files []string) []keyfile.Part {
	out := make([]keyfile.Part, len(files))
	for i, name := range files {
		out[i] = keyfile.File(fmt.Sprintf("upstream_token.key_files[%d]", i), name, maxKeyBytes)
	}
	return out
}

// readKeys makes keys of the texts of files. Its errors quote nothing.
func readKeys(texts []secret.Text) (*keys, error) {
	k := &keys{since: time.Now()}
	for i, t := range texts {
		s, kid, alg, err := readKey(t)
		if err != nil {
			return nil, fmt.Errorf("upstream_token.key_files[%d]: %w", i, err)
		}
		if i == 0 {
			k.signer = s
		}
		if slices.Contains(k.kids, kid) { // while keys change places, two files may hold the same one
			continue
		}
		k.kids, k.public = append(k.kids, kid), append(k.public, s.Public())
		if !slices.Contains(k.algs, alg) {
			k.algs = append(k.algs, alg)
		}
	}
	return k, nil
}

// readKey reads one key. Its kid is its thumbprint (RFC 7638), so that it has the same one in every sidecar.
func readKey(t secret.Text) (s *jose.Signer, kid, alg string, err error) {
	if !keyfile.CompletePEM(t.Reveal()) {
		return nil, "", "", errors.New("its PEM block is cut off")
	}
	if s, err = jose.NewSigner(t, "", ""); err != nil {
		return nil, "", "", err
	}
	var jwk struct {
		Algorithm string `json:"alg"`
	}
	if err := json.Unmarshal(s.Public(), &jwk); err != nil {
		return nil, "", "", errors.New("it has no public form")
	}
	switch jwk.Algorithm {
	case "ES256", "ES384", "EdDSA":
	default:
		return nil, "", "", fmt.Errorf("it is a key for %s, want EC P-256, EC P-384 or Ed25519", jwk.Algorithm)
	}
	if kid, err = jose.Thumbprint(s.Public()); err != nil {
		return nil, "", "", err
	}
	s, err = jose.NewSigner(t, jwk.Algorithm, kid)
	return s, kid, jwk.Algorithm, err
}
