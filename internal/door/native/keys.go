package native

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/labstack/echo/v4"
)

// callerKeys are the keys of those who may call a listener, as digests, so that a comparison takes the same time
// whatever the lengths are.
type callerKeys [][sha256.Size]byte

// minKeyBytes keeps keys from being guessed.
const minKeyBytes = 16

func readKeys(file string) (callerKeys, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read caller keys: %w", err)
	}
	var keys callerKeys
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < minKeyBytes {
			return nil, fmt.Errorf("read caller keys %q: the key in line %d is shorter than %d bytes", file, i+1, minKeyBytes)
		}
		keys = append(keys, sha256.Sum256([]byte(line)))
	}
	if keys == nil {
		return nil, fmt.Errorf("read caller keys %q: the file has none", file)
	}
	return keys, nil
}

// eventsPath is where events come. See Deps.Events.
const eventsPath = "/v1/events/*"

// require refuses calls without a key. Probes need none: what asks them has no secrets. Nor do events, whose senders are
// authorization servers: what is not signed by one of those that are configured changes nothing.
func (k callerKeys) require(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		switch c.Path() {
		case "/livez", "/readyz", eventsPath:
			return next(c)
		}
		scheme, key, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		sum, found := sha256.Sum256([]byte(key)), 0
		for i := range k {
			found |= subtle.ConstantTimeCompare(sum[:], k[i][:])
		}
		if found != 1 || !strings.EqualFold(scheme, "Bearer") {
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="sidecar"`)
			return &callError{http.StatusUnauthorized, "unauthorized", "this listener wants a caller key as Authorization: Bearer", ""}
		}
		return next(c)
	}
}
