package listen

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Guard says which calls a listener accepts, by its configured names, caller keys, and limits of callers.
type Guard struct {
	names   *httpuri.Names         // nil accepts every name
	keys    *reloaded[[]callerKey] // nil accepts every caller
	callers *callers               // nil sets no limit
}

// callerKey is a line of the file of caller keys.
type callerKey struct {
	// digest is compared instead of the key, so that it takes the same time whatever the lengths are.
	digest [sha256.Size]byte
	line   int
}

// NewGuard reads the caller keys of a listener, if it has any.
func NewGuard(cfg Config, deps Deps) (*Guard, error) {
	g := &Guard{callers: newCallers(cfg, deps)}
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
		return nil, fmt.Errorf("%s: read caller keys: %w", deps.Key("bearer_keys_file"), err)
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

// ErrNoKey is that of a call without a caller key, at a listener that asks for one.
var ErrNoKey = errors.New("the call has no caller key of bearer_keys_file")

// CheckKey returns ErrNoKey for an Authorization field without a caller key, if the listener asks for one.
func (g *Guard) CheckKey(authorization string) error {
	_, err := g.keyOf(authorization)
	return err
}

// Open reports whether Admit admits every call.
func (g *Guard) Open() bool { return g.keys == nil && g.callers == nil }

// Admit returns ErrNoKey as CheckKey does, and an OverLimit for a call of a caller that calls too often. conn is the
// connection of the call: see ConnOf.
func (g *Guard) Admit(conn net.Conn, authorization string) error {
	key, err := g.keyOf(authorization)
	if err != nil {
		return err
	}
	return g.callers.admit(conn, key)
}

// AdmitCall is Admit for a call of an HTTP.
func (g *Guard) AdmitCall(r *http.Request, authorization string) error {
	key, err := g.keyOf(authorization)
	if err != nil || g.callers == nil {
		return err
	}
	return g.callers.admit(ConnOf(r), key)
}

// keyOf is the caller key in an Authorization field, or nil when the listener asks for none.
func (g *Guard) keyOf(authorization string) (*callerKey, error) {
	if g.keys == nil {
		return nil, nil
	}
	scheme, key, _ := strings.Cut(authorization, " ")
	sum, known := sha256.Sum256([]byte(key)), g.keys.current()
	at := -1
	for i := range known {
		if subtle.ConstantTimeCompare(sum[:], known[i].digest[:]) == 1 {
			at = i
		}
	}
	if at < 0 || !strings.EqualFold(scheme, "Bearer") {
		return nil, ErrNoKey
	}
	return &known[at], nil
}

const (
	maxCallerKeysBytes = 1 << 20
	minKeyBytes        = 16 // a shorter key could be guessed
)

// parseKeys reads one key a line. Empty lines and those that begin with # are ignored.
func parseKeys(texts []secret.Text) ([]callerKey, error) {
	var keys []callerKey
	for i, line := range strings.Split(texts[0].Reveal(), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < minKeyBytes {
			return nil, fmt.Errorf("the key in line %d is shorter than %d bytes", i+1, minKeyBytes)
		}
		keys = append(keys, callerKey{sha256.Sum256([]byte(line)), i + 1})
	}
	if keys == nil {
		return nil, fmt.Errorf("the file has none")
	}
	return keys, nil
}
