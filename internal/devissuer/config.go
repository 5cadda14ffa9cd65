package devissuer

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	defaultTTL       = time.Hour
	defaultMaxTokens = 100_000
)

// Config is one authorization server and its clients. The zero values of TokenTTL, Latency and MaxTokens are usable.
type Config struct {
	// Issuer is the URL the server is reached by, and its identifier (RFC 8414 section 2): scheme, host and an
	// optional path, without a trailing slash. URL makes one from a listener.
	Issuer          string
	Clients         []Client
	ResourceServers []ResourceServer
	// TokenTTL is how long tokens live; 0 is an hour.
	TokenTTL time.Duration
	// Latency is added before each introspection answer.
	Latency time.Duration
	// MaxTokens bounds the live tokens kept; 0 is 100,000. At the bound the token that would expire first is
	// forgotten.
	MaxTokens int
}

// Client may ask for tokens with grant client_credentials (RFC 6749 section 4.4), and may introspect and revoke.
type Client struct {
	ID     string
	Secret secret.Text
	// Scopes are those it may ask for; a request without scope is given all of them.
	Scopes []string
	// Audiences are those it may ask for; a request that names none is given the first.
	Audiences []string
	Tenant    string
	Roles     []string
	// Subject is the "sub" of its tokens. Empty means the client itself, so that sub equals client_id; a user's
	// identifier, with Username, makes tokens that speak for a user.
	Subject  string
	Username string
	// ChoosesClaims allows the parameter "claims" in its token requests: a JSON object, which becomes Grant.Claims.
	ChoosesClaims bool
	// TokenFormat is the form of its tokens; empty is Opaque.
	TokenFormat Format
}

// ResourceServer may introspect.
type ResourceServer struct {
	ID     string
	Secret secret.Text
	// Audience, when not empty, hides every token whose audience names none of these (RFC 7662 section 2.2:
	// an answer may differ per resource server).
	Audience []string
}

// Format is the form of a token.
type Format string

// The forms of token. Both can be introspected and revoked.
const (
	// Opaque is 32 random bytes in base64url.
	Opaque Format = "opaque"
	// JWT is a signed access token after RFC 9068.
	JWT Format = "jwt"
)

// URL is the issuer of a server that is reached at ln over plain HTTP. A listener on all addresses gives the
// loopback address of its family.
func URL(ln net.Listener) string {
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return "http://" + ln.Addr().String()
	}
	host := "127.0.0.1"
	if addr.IP.To4() == nil {
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// check reports every problem of cfg at once.
func check(cfg Config) error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if err := checkIssuer(cfg.Issuer); err != nil {
		faults = append(faults, err)
	}
	if cfg.TokenTTL < 0 || cfg.Latency < 0 || cfg.MaxTokens < 0 {
		bad("configure development issuer: a lifetime, latency or bound is negative")
	}
	seen := map[string]struct{}{}
	identity := func(id string, key secret.Text) {
		if _, twice := seen[id]; twice {
			bad("configure client %q: identifier is used twice", id)
		}
		seen[id] = struct{}{}
		if id == "" || key.Empty() {
			bad("configure client %q: identifier or secret is empty", id)
		}
	}
	for _, c := range cfg.Clients {
		identity(c.ID, c.Secret)
		if err := checkClient(c); err != nil {
			faults = append(faults, err)
		}
	}
	for _, rs := range cfg.ResourceServers {
		identity(rs.ID, rs.Secret)
	}
	return errors.Join(faults...)
}

func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return fmt.Errorf("configure issuer: %v", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil:
		return fmt.Errorf("configure issuer %q: not an http or https URL of a host", issuer)
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "", strings.HasSuffix(issuer, "#"):
		return fmt.Errorf("configure issuer %q: has a query or a fragment", issuer)
	case u.Path != "" && (u.Path != path.Clean(u.Path) || u.Path == "/" || u.EscapedPath() != u.Path ||
		strings.ContainsAny(u.Path, "{}")):
		return fmt.Errorf("configure issuer %q: path ends in a slash, or is not in its plainest form", issuer)
	}
	return nil
}

func checkClient(c Client) error {
	for _, scope := range c.Scopes {
		if !isScope(scope) {
			return fmt.Errorf("configure client %q: scope %q is not a scope token", c.ID, scope)
		}
	}
	for _, aud := range c.Audiences {
		if aud == "" {
			return fmt.Errorf("configure client %q: an audience is empty", c.ID)
		}
	}
	switch c.TokenFormat {
	case "", Opaque:
		return nil
	case JWT:
		if len(c.Audiences) == 0 {
			return fmt.Errorf("configure client %q: a JWT needs an audience", c.ID) // RFC 9068 section 2.2
		}
		return nil
	}
	return fmt.Errorf("configure client %q: token format %q is not known", c.ID, c.TokenFormat)
}

// isScope reports whether s is a scope-token: RFC 6749 section 3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return s != ""
}
