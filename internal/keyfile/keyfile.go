// Package keyfile reads secrets, keys, certificates and authorities from files that may change at any time, as those
// of Kubernetes secrets and of certificate managers do.
package keyfile

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Part is one text that a value is made of.
type Part struct {
	Key  string // in the configuration
	file string // empty when the text is in no file
	read func() (secret.Text, error)
}

// Secret is the text of a secret.
func Secret(key string, s secret.Source) Part { return Part{key, s.File, s.Read} }

// File is the text of a whole file of at most limit bytes. A byte order mark is ignored.
func File(key, name string, limit int64) Part {
	return Part{key, name, func() (secret.Text, error) { return readFile(name, limit) }}
}

func readFile(name string, limit int64) (secret.Text, error) {
	f, err := os.Open(name)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read file: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return secret.Text{}, fmt.Errorf("read file: %w", err)
	}
	if int64(len(b)) > limit {
		return secret.Text{}, fmt.Errorf("read file %q: over %d bytes", name, limit)
	}
	return secret.New(string(bytes.TrimPrefix(b, []byte("\ufeff")))), nil
}

func readParts(parts []Part) ([]secret.Text, error) {
	texts := make([]secret.Text, 0, len(parts))
	for _, p := range parts {
		t, err := p.read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Key, err)
		}
		texts = append(texts, t)
	}
	return texts, nil
}

// CompletePEM reports whether every PEM block that begins also ends. Parsers skip a block that is cut off, as in a
// file that is still being written.
func CompletePEM(pem string) bool {
	return strings.Count(pem, "-----BEGIN ") == strings.Count(pem, "-----END ")
}
