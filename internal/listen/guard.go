package listen

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Guard says which calls a listener accepts, by its configured names and caller keys.
type Guard struct {
	names *httpuri.Names      // nil accepts every name
	keys  *reloaded[[]digest] // nil accepts every caller
}

// digest is that of a caller key, so that a comparison takes the same time whatever the lengths are.
type digest [sha256.Size]byte

// NewGuard reads the caller keys of a listener, if it has any.
func NewGuard(cfg Config, deps Deps) (*Guard, error) {
	g := &Guard{}
	if !isSocket(cfg.Address) {
		names := httpuri.NewNames(cfg.Address, cfg.Hosts)
		g.names = &names
	}
	if cfg.BearerKeysFile == "" {
		return g, nil
	}
	var err error
	part := keyfile.File("bearer_keys_file", cfg.BearerKeysFile, maxCallerKeysBytes)
	if g.keys, err = reload("bearer_keys", deps, parseKeys, part); err != nil {
		return nil, fmt.Errorf("%s: read caller keys: %w", deps.key("bearer_keys_file"), err)
	}
	return g, nil
}

// CheckName returns httpuri.ErrHost or httpuri.ErrOrigin for a call that a web page of another origin made, also under
// a name that its owner let lead here (DNS rebinding). Unix sockets have no names.
func (g *Guard) CheckName(r *http.Request) error {
	if g.names == nil {
		return nil
	}
	return g.names.Check(r)
}

// CheckKey reports whether an Authorization field carries a caller key, if the listener asks for one.
func (g *Guard) CheckKey(authorization string) bool {
	if g.keys == nil {
		return true
	}
	scheme, key, _ := strings.Cut(authorization, " ")
	sum, found := sha256.Sum256([]byte(key)), 0
	for _, known := range g.keys.current() {
		found |= subtle.ConstantTimeCompare(sum[:], known[:])
	}
	return found == 1 && strings.EqualFold(scheme, "Bearer")
}

const (
	maxCallerKeysBytes = 1 << 20
	minKeyBytes        = 16 // a shorter key could be guessed
)

// parseKeys reads one key a line. Empty lines and those that begin with # are ignored.
func parseKeys(texts []secret.Text) ([]digest, error) {
	var keys []digest
	for i, line := range strings.Split(texts[0].Reveal(), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < minKeyBytes {
			return nil, fmt.Errorf("the key in line %d is shorter than %d bytes", i+1, minKeyBytes)
		}
		keys = append(keys, sha256.Sum256([]byte(line)))
	}
	if keys == nil {
		return nil, fmt.Errorf("the file has none")
	}
	return keys, nil
}
