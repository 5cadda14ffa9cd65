package signature

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const maxKeyBytes = 1 << 20

// Keys verify the signatures of one source. They are read again when their files change. They are safe for concurrent
// use.
type Keys struct {
	cfg Config
	now func() time.Time

	mu    sync.Mutex
	files *keyfile.Files[[]jose.Pinned]
	all   []jose.Pinned
}

// Open reads the keys of a configuration that Check has passed.
func Open(cfg Config) (*Keys, error) {
	k := &Keys{cfg: cfg, now: time.Now}
	parts := make([]keyfile.Part, 0, len(cfg.Keys))
	for i, key := range cfg.Keys {
		at := fmt.Sprintf("keys[%d]", i)
		if key.File != "" {
			parts = append(parts, keyfile.File(at+".file", key.File, maxKeyBytes))
		} else {
			parts = append(parts, keyfile.Secret(at+".secret", key.Secret))
		}
	}
	var err error
	k.files, k.all, err = keyfile.Open(cfg.parse, parts...)
	if err != nil {
		return nil, fmt.Errorf("read keys of signatures: %w", err)
	}
	return k, nil
}

// Look reads files again that have changed, and reports whether the keys did: a bundle that was refused may be good
// now. The error is told once; until it is over the former keys stay.
func (k *Keys) Look() (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, changed, err := k.files.Look()
	if changed {
		k.all = keys
	}
	return changed, err
}

// current are the keys as the files are now.
func (k *Keys) current() []jose.Pinned {
	_, _ = k.Look() // an error keeps the former keys, and its next Look tells it
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all
}

// parse makes keys of the texts of the files.
func (c Config) parse(texts []secret.Text) ([]jose.Pinned, error) {
	var all []jose.Pinned
	for i, text := range texts {
		keys, err := c.Keys[i].read(text)
		if err != nil {
			return nil, fmt.Errorf("keys[%d] (%s): %w", i, c.Keys[i].ID, err)
		}
		all = append(all, keys...)
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if role := c.roleOf(a.ID()); a.Print() == b.Print() && role != c.roleOf(b.ID()) {
				return nil, fmt.Errorf("%q and %q are the same key in different roles: it must not count twice",
					b.ID(), a.ID())
			}
		}
	}
	return all, nil
}

func (key Key) read(text secret.Text) ([]jose.Pinned, error) {
	if key.File == "" {
		k, err := jose.PinSecret(text, key.ID, key.Algorithm)
		return []jose.Pinned{k}, err
	}
	if !keyfile.CompletePEM(text.Reveal()) {
		return nil, errors.New("the file ends within a PEM block")
	}
	return jose.PinPublic([]byte(text.Reveal()), key.ID, key.Algorithm)
}

// roleOf is the role that a key id is listed for, or nothing.
func (c Config) roleOf(id string) string {
	for _, r := range c.Signers {
		if slices.Contains(r.Keys, id) {
			return r.Role
		}
	}
	return ""
}

// ids are the names of all keys, for messages.
func ids(keys []jose.Pinned) string {
	var out []string
	for _, k := range keys {
		if name := fmt.Sprintf("%q", k.ID()); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}
