package sidecarclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultAddress        = "http://127.0.0.1:8181"
	DefaultTimeout        = 3 * time.Second
	DefaultMaxAnswerBytes = 1 << 20
	DefaultMaxIdleConns   = 100
)

// Config says how the sidecar is reached. The zero Config asks a sidecar at its default address.
type Config struct {
	// Address is the sidecar's api listener: http://HOST:PORT, https://HOST:PORT or unix:///PATH/OF/SOCKET. Empty is
	// DefaultAddress.
	Address string
	// TLS is for an https address: RootCAs for a private certificate authority, Certificates for a listener that asks
	// for one. Nil trusts the system's authorities.
	TLS *tls.Config
	// CallerKey is the key that the listener asks of its callers (listen.api.bearer_keys_file); empty for none.
	CallerKey string
	// Entrypoint is the rule to ask, such as billing/decision; empty is the sidecar's default. Batch knows the default
	// alone.
	Entrypoint string
	// Timeout bounds a whole call, from the connection to the last byte of the answer. 0 is DefaultTimeout.
	Timeout time.Duration
	// MaxAnswerBytes bounds an answer; a longer one is no decision. 0 is DefaultMaxAnswerBytes.
	MaxAnswerBytes int64
	// MaxIdleConns is how many connections are kept for the next calls. 0 is DefaultMaxIdleConns.
	MaxIdleConns int
	// Transport makes the calls in place of the client's own transport, for a proxy or for instrumentation. TLS,
	// MaxIdleConns and a unix address do not go with it.
	Transport http.RoundTripper
}

// New returns a client. Nothing is asked yet. Its error says which member of cfg is wrong.
func New(cfg Config) (*Client, error) {
	if cfg.Address == "" {
		cfg.Address = DefaultAddress
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxAnswerBytes == 0 {
		cfg.MaxAnswerBytes = DefaultMaxAnswerBytes
	}
	if cfg.MaxIdleConns == 0 {
		cfg.MaxIdleConns = DefaultMaxIdleConns
	}
	if member, cause := cfg.fault(); member != "" {
		return nil, fmt.Errorf("configure the sidecar client: %s: %s", member, cause)
	}
	c := &Client{timeout: cfg.Timeout, maxAnswer: cfg.MaxAnswerBytes, transport: cfg.Transport, key: cfg.CallerKey}
	base, socket, err := parseAddress(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("configure the sidecar client: Address %w", err)
	}
	c.decisions = base + "/v1/decisions"
	c.batches = c.decisions + "/batch"
	if cfg.Entrypoint != "" {
		c.decisions, c.batches = c.decisions+"/"+cfg.Entrypoint, ""
	}
	if c.transport == nil {
		c.transport = newTransport(cfg, socket)
	}
	return c, nil
}

// fault returns the member that is wrong, and why; both are empty when none is.
func (c Config) fault() (member, cause string) {
	switch {
	case c.Timeout < 0:
		return "Timeout", "is negative"
	case c.MaxAnswerBytes < 0:
		return "MaxAnswerBytes", "is negative"
	case c.MaxIdleConns < 0:
		return "MaxIdleConns", "is negative"
	case !validValue(c.CallerKey) || strings.ContainsAny(c.CallerKey, " \t"):
		return "CallerKey", "has a blank or a control character in it"
	case c.Transport != nil && c.TLS != nil:
		return "TLS", "has no effect on a Transport of your own: configure it there"
	case c.Transport != nil && strings.HasPrefix(c.Address, "unix:"):
		return "Address", "a unix socket needs the client's own transport: leave Transport nil"
	case !validEntrypoint(c.Entrypoint):
		return "Entrypoint", "want the path of a rule, such as billing/decision"
	}
	return "", ""
}

// validEntrypoint reports whether s is empty or names separated by slashes, none of which changes what the path of a
// URL means.
func validEntrypoint(s string) bool {
	if s == "" {
		return true
	}
	for name := range strings.SplitSeq(s, "/") {
		if name == "" || strings.Trim(name, ".") == "" || url.PathEscape(name) != name {
			return false
		}
	}
	return s != "batch"
}

// parseAddress returns the base URL without a slash at its end, and the path of the unix socket or "". Its error shows
// no password.
func parseAddress(address string) (base, socket string, err error) {
	const forms = "want http://HOST:PORT, https://HOST:PORT or unix:///PATH"
	u, err := url.Parse(address)
	switch {
	case err != nil && strings.Contains(address, "@"):
		return "", "", errors.New(forms)
	case err != nil:
		return "", "", fmt.Errorf("%q: %s", address, forms)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(address, "#"):
		return "", "", fmt.Errorf("%q: has a user, a query or a fragment: %s", u.Redacted(), forms)
	case u.Scheme == "unix" && u.Host == "" && len(u.Path) > 1:
		return "http://localhost", u.Path, nil // a name that every listener has
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", "", fmt.Errorf("%q: %s", address, forms)
	}
	return strings.TrimRight(u.String(), "/"), "", nil
}

// idleTimeout is shorter than the two minutes for which the sidecar keeps a connection by default
// (listen.api.limits.idle_timeout): the side that asks should be the one that closes.
const idleTimeout = time.Minute

func newTransport(cfg Config, socket string) *http.Transport {
	dialer := &net.Dialer{KeepAlive: 15 * time.Second}
	t := &http.Transport{
		// No Proxy: what is asked about must not leave the machine because of HTTP_PROXY.
		DialContext:            quietly(dialer.DialContext),
		TLSClientConfig:        cfg.TLS.Clone(),
		MaxIdleConns:           cfg.MaxIdleConns,
		MaxIdleConnsPerHost:    cfg.MaxIdleConns,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true, // so that MaxAnswerBytes bounds what is read
		MaxResponseHeaderBytes: 64 << 10,
	}
	if socket != "" {
		t.DialContext = quietly(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		})
	}
	return t
}
