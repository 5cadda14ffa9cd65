package upstreamtoken

import (
	"errors"
	"fmt"
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
	kid    string       // of the first
	set    []byte       // the public keys as a JWK Set
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
	k := &keys{}
	var public []jsontext.Value
	known := map[string]bool{}
	for i, t := range texts {
		s, kid, err := readKey(t)
		if err != nil {
			return nil, fmt.Errorf("upstream_token.key_files[%d]: %w", i, err)
		}
		if i == 0 {
			k.signer, k.kid = s, kid
		}
		if !known[kid] { // while keys change places, two files may hold the same one
			public = append(public, s.Public())
		}
		known[kid] = true
	}
	var err error
	k.set, err = json.Marshal(map[string]any{"keys": public})
	return k, err
}

// readKey reads one key. Its kid is its thumbprint (RFC 7638), so that it has the same one in every sidecar.
func readKey(t secret.Text) (*jose.Signer, string, error) {
	if !keyfile.CompletePEM(t.Reveal()) {
		return nil, "", errors.New("its PEM block is cut off")
	}
	s, err := jose.NewSigner(t, "", "")
	if err != nil {
		return nil, "", err
	}
	var jwk struct {
		Algorithm string `json:"alg"`
	}
	if err := json.Unmarshal(s.Public(), &jwk); err != nil {
		return nil, "", errors.New("it has no public form")
	}
	switch jwk.Algorithm {
	case "ES256", "ES384", "EdDSA":
	default:
		return nil, "", fmt.Errorf("it is a key for %s, want EC P-256, EC P-384 or Ed25519", jwk.Algorithm)
	}
	kid, err := jose.Thumbprint(s.Public())
	if err != nil {
		return nil, "", err
	}
	s, err = jose.NewSigner(t, jwk.Algorithm, kid)
	return s, kid, err
}
