package introspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authserver"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Deps is what an Issuer needs from the rest of the program.
type Deps struct {
	// Fingerprints names tokens in caches; required.
	Fingerprints *secret.Fingerprinter
	// Observer may be nil.
	Observer Observer
	// Log may be nil. Discovery speaks there; questions do not.
	Log *slog.Logger
	// Transport replaces the network when it is not nil.
	Transport http.RoundTripper
}

// Issuer is one authorization server and all that is known from it. It is an Introspector, safe for concurrent use.
type Issuer struct {
	name, issuer    string
	refusedPrefixes []string
	keys            keys
	cache           *cache
	flight          *flight
	asker           asker
	guard           *guard
	client          *client // for Ask, which goes past all that asker is dressed in
	server          *authserver.Server
}

var _ Introspector = (*Issuer)(nil)

// Stats is the size of what an Issuer holds.
type Stats struct{ Active, Inactive CacheStats }

// New checks cfg, reads the secret and the certificates that it names, and builds Cache, Flight and Client. It asks nobody:
// an authorization server that is down is no reason not to start. The error lists all faults.
func New(cfg Config, deps Deps) (*Issuer, error) {
	var faults []error
	cfg.Check(func(key, cause, _ string) { faults = append(faults, fmt.Errorf("%s: %s", key, cause)) })
	if deps.Fingerprints == nil {
		faults = append(faults, errors.New("no fingerprinter is given"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("check issuer %q: %w", cfg.Server.Name, errors.Join(faults...))
	}
	server, err := authserver.New(cfg.Server, authserver.Deps{Needs: []authserver.Endpoint{authserver.Introspection}, Log: deps.Log, Transport: deps.Transport})
	if err != nil {
		return nil, err
	}
	return build(cfg, deps, server), nil
}

func build(cfg Config, deps Deps, server *authserver.Server) *Issuer {
	if deps.Observer == nil {
		deps.Observer = blind{}
	}
	name := cfg.Server.Name
	k := keys{fingerprints: deps.Fingerprints, name: name, issuer: cfg.Server.Issuer, clientID: cfg.Server.Client.ID}
	c := &client{
		name: name, timeout: cfg.Server.Timeout, server: server,
		reader: dialect.New(cfg.Reading, cfg.Server.Issuer), observer: deps.Observer,
	}
	g := newGuard(c, cfg, k, deps.Observer)
	return &Issuer{
		name:            name,
		issuer:          cfg.Server.Issuer,
		refusedPrefixes: cfg.Reading.RefusedPrefixes,
		keys:            k,
		cache:           newCache(name, cfg.Cache, k, deps.Observer),
		flight:          newFlight(name, cfg.MaxInFlight, deps.Observer),
		asker:           g,
		guard:           g,
		client:          c,
		server:          server,
	}
}

// Introspect returns what the server says, or lately said, about the token of q. See Introspector for its errors.
func (i *Issuer) Introspect(ctx context.Context, q Question) (*authz.Claims, error) {
	tok := q.Token
	if why := i.refuses(tok); why != "" {
		return dialect.Dead(why, time.Now()).Claims, nil
	}
	key := i.keys.of(tok, i.server.Current(authserver.Introspection))
	if known := i.cache.look(key); known != nil {
		return known, nil
	}
	// The first question of all finds out where the endpoint is: those who come before and after that share a flight too.
	return i.flight.share(ctx, i.keys.of(tok, ""), func(ctx context.Context) (*authz.Claims, error) {
		if known := i.cache.peek(i.keys.of(tok, i.server.Current(authserver.Introspection))); known != nil {
			return known, nil
		}
		f, err := i.asker.ask(ctx, q)
		if err != nil {
			return nil, err
		}
		i.cache.keep(tok, f) // before the flight lands, so that nobody starts a second one in between
		return f.Claims, nil
	})
}

// Name is the configured name, and Issuer the identifier, which may be empty.
func (i *Issuer) Name() string   { return i.name }
func (i *Issuer) Issuer() string { return i.issuer }

// refuses says why a token is not even asked about.
func (i *Issuer) refuses(tok secret.Text) string {
	t := tok.Reveal()
	switch {
	case t == "":
		return "is empty"
	case len(t) > maxTokenBytes:
		return fmt.Sprintf("is longer than %d bytes", maxTokenBytes)
	}
	for _, p := range i.refusedPrefixes {
		if strings.HasPrefix(t, p) {
			return "begins with a prefix that is refused"
		}
	}
	return ""
}

// Ask puts one question past all caches, for diagnosis. The Answer is filled as far as things went when there is an error too.
func (i *Issuer) Ask(ctx context.Context, tok secret.Text) (Answer, error) {
	f, r, err := i.client.question(ctx, tok)
	return Answer{
		Endpoint: r.Endpoint, Status: r.Status, ContentType: r.Header.Get("Content-Type"), Body: r.Body, Claims: f.Claims,
	}, err
}

// Warm discovers the endpoint, with pauses from 1 s to 30 s between attempts, until it is known or ctx ends. It returns
// at once when the endpoint is configured. The first questions are faster after it, and answered without it too.
func (i *Issuer) Warm(ctx context.Context) { i.server.Warm(ctx) }

// Sweep gives back the memory of expired answers. Nothing expired is ever returned, swept or not.
func (i *Issuer) Sweep() { i.cache.sweep() }

// Stats returns the size of the caches.
func (i *Issuer) Stats() Stats {
	return Stats{Active: i.cache.active.stats(), Inactive: i.cache.inactive.stats()}
}

// Breaker is the state of the circuit breaker before the server.
func (i *Issuer) Breaker() BreakerState { return i.guard.breaker.stands() }

// Close refuses new questions, waits for those under way, each of which ends within the configured timeout, and closes the
// connections. What is cached can still be had.
func (i *Issuer) Close() {
	i.flight.close()
	i.server.Close()
}

// blind observes nothing.
type blind struct{}

func (blind) Asked(string, string, time.Duration) {}
func (blind) Cached(string, string, bool)         {}
func (blind) Evicted(string, string, int)         {}
func (blind) Refused(string, string)              {}
func (blind) Retried(string)                      {}
