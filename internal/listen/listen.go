// Package listen opens the listeners of the sidecar, for every door: TCP addresses and Unix sockets, TLS whose
// certificates may change at any time, names, caller keys, and the count of calls under way.
package listen

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Deps are what a listener works with.
type Deps struct {
	// Name is what logs, metrics and the status call the listener, such as api, or forward_auth.nginx.
	Name string
	// Section is the listener's section of the configuration below listen, such as forward_auth[0]. Empty is Name.
	Section string
	// Log gets what happens to its files and connections.
	Log *slog.Logger
	// Calls counts the calls under way.
	Calls *Calls
	// Files gets what became of its files; it may be nil.
	Files *Files
	// Metrics shows how often its files were read again; nil shows nothing.
	Metrics metrics.Registerer
	// Protocols are those that are negotiated over TLS (ALPN), such as h2; nil negotiates none.
	Protocols []string
}

// Key is the name of a key of the listener in the configuration.
func (d Deps) Key(name string) string { return d.section() + "." + name }

func (d Deps) section() string { return "listen." + cmp.Or(d.Section, d.Name) }

// Open opens the socket that cfg names, with TLS when it has a certificate.
func Open(cfg Config, deps Deps) (net.Listener, error) {
	if err := conf.Validate(cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", deps.section(), err)
	}
	if cfg.Off() { // net.Listen would choose a port
		return nil, fmt.Errorf("%s: is empty", deps.Key("address"))
	}
	security, err := newSecurity(cfg.TLS, deps)
	if err != nil {
		return nil, err
	}
	var ln net.Listener
	if isSocket(cfg.Address) {
		ln, err = listenUnix(cfg.Address)
	} else {
		ln, err = net.Listen("tcp", cfg.Address)
	}
	if err != nil {
		return nil, &AddressError{Key: deps.Key("address"), Err: fmt.Errorf("listen on %s: %w", cfg.Address, err)}
	}
	return security.over(ln), nil
}

// AddressError is a listener that could not be opened; Key is its address in the configuration.
type AddressError struct {
	Key string
	Err error
}

func (e *AddressError) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *AddressError) Unwrap() error { return e.Err }

// Check reads the files that cfg names, as Open and NewGuard do, and opens no socket.
func Check(cfg Config, deps Deps) error {
	_, badTLS := newSecurity(cfg.TLS, deps)
	_, badKeys := NewGuard(cfg, deps)
	return errors.Join(badTLS, badKeys)
}
