// Package issuer builds the layers of each configured issuer, and gives a token to the one issuer that it is of.
package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/introspect/guard"
	"github.com/authz-sidecar/sidecar/internal/introspect/local"
	"github.com/authz-sidecar/sidecar/internal/introspect/remote"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Deps is what an Issuer needs from the rest of the program.
type Deps struct {
	// Fingerprints names tokens in caches; required.
	Fingerprints *secret.Fingerprinter
	// Metrics is where the layers count, by issuer; it may be nil.
	Metrics metrics.Registerer
	// Log may be nil. Discovery, key sets, breaker and canary write to it; questions do not.
	Log *slog.Logger
	// Transport replaces the network when it is not nil.
	Transport http.RoundTripper
}

// Issuer is one authorization server and all that is known from it. It is an Introspector, safe for concurrent use.
type Issuer struct {
	name, issuer    string
	identifiers     []string // in tokens and events
	refusedPrefixes []string
	mode            authz.Mode
	cache           *cache.Cache
	local           *local.Layer
	guard           *guard.Guard
	client          *remote.Client
	server          *oauth.Server
	keySet          *jose.KeySet
	canary          canary
	unasked         bool // the server cannot be asked about tokens
	needsKeys       bool // to look at tokens as configured
	log             *slog.Logger
}

var _ introspect.Introspector = (*Issuer)(nil)

// New checks cfg, reads the secrets and certificates that it names, and builds the layers. It uses no network: the
// sidecar starts while an authorization server is down. The error lists all faults.
func New(cfg Config, deps Deps) (*Issuer, error) {
	err := conf.Validate(cfg)
	if deps.Fingerprints == nil {
		err = errors.Join(err, errors.New("no fingerprinter is given"))
	}
	if err != nil {
		return nil, fmt.Errorf("check issuer %q: %w", cfg.Endpoint.Name, err)
	}
	deps.Metrics = metrics.With(deps.Metrics, "issuer", cfg.Endpoint.Name)
	deps.Log = cmp.Or(deps.Log, slog.New(slog.DiscardHandler))
	needs, wants := cfg.needs()
	server, err := oauth.New(cfg.Reached(),
		oauth.Deps{Needs: cfg.needsToken(needs), Wants: wants, Log: deps.Log, Transport: deps.Transport})
	if err != nil {
		return nil, err
	}
	i, err := build(cfg, deps, server)
	if err != nil {
		server.Close()
		return nil, fmt.Errorf("set up issuer %q: %w", cfg.Endpoint.Name, err)
	}
	return i, nil
}

// build stacks the layers, from the one that asks the server up to the cache.
func build(cfg Config, deps Deps, server *oauth.Server) (*Issuer, error) {
	e, reader := cfg.Endpoint, cfg.reader()
	keySet := jose.NewKeySet(jose.KeySetConfig{Name: e.Name, Log: deps.Log, MaxWaiting: max(1, cfg.MaxInFlight/2),
		Fetch: server.FetchKeys})
	revocations := cache.NewRevocations(e.Name, cfg.Cache.RevocationMemory, deps.Fingerprints)
	signed, jwt := cfg.SignedResponse, cfg.JWT
	signed.Algorithms, jwt.Algorithms = algorithms(signed.Algorithms), algorithms(jwt.Algorithms)
	client, err := remote.New(signed, remote.Deps{
		Endpoint: e, Server: server, Reader: reader, Metrics: deps.Metrics, Log: deps.Log,
		RequireSigned: cfg.RequireSigned, Keys: keySet, IssuedAhead: cfg.issuedAhead(),
	})
	if err != nil {
		return nil, err
	}
	g := guard.New(client, cfg.Protection, guard.Deps{
		Issuer: e.Name, Timeout: e.Timeout, MaxInFlight: cfg.MaxInFlight, KeptFor: cfg.Cache.LongestUse(),
		Fingerprints: deps.Fingerprints, Metrics: deps.Metrics, Log: deps.Log,
	})
	l := local.New(g, jwt, local.Deps{
		Endpoint: e, Dialect: cfg.Dialect, Server: server, Reader: reader, Keys: keySet, Revoked: revocations.Of,
		Unavailable: cfg.localUnavailable(), NoIntrospection: cfg.noIntrospection(),
		NotBeforeAhead: cfg.notBeforeAhead(), IssuedAhead: cfg.issuedAhead(),
	})
	c := cache.New(l, cfg.Cache, cache.Deps{
		Issuer: e.Name, Identifier: e.Issuer, ClientID: e.Client.ID,
		Endpoint:    func() string { return server.KnownEndpoint(oauth.Introspection) },
		MaxInFlight: cfg.MaxInFlight, Fingerprints: deps.Fingerprints, Revocations: revocations,
		IssuedAhead: cfg.issuedAhead(), Metrics: deps.Metrics,
	})
	i := &Issuer{
		name: e.Name, issuer: e.Issuer, identifiers: append([]string{e.Issuer}, cfg.Match.Issuers...),
		refusedPrefixes: reader.RefusedPrefixes(), mode: cfg.mode(),
		cache: c, local: l, guard: g, client: client, server: server, keySet: keySet,
		canary: canary{every: cfg.Canary.Every, timeout: e.Timeout, scope: cfg.CanaryScope()}, log: deps.Log,
		unasked: cfg.noIntrospection(), needsKeys: cfg.mode().Local() || cfg.RequireSigned,
	}
	i.register(deps.Metrics)
	return i, nil
}

// Introspect returns what the server says, or lately said, about the token of q. See introspect.Introspector for its
// errors.
func (i *Issuer) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	if why := i.refuses(q.Token); !why.OK() {
		return dialect.Unusable(why, time.Now()).Claims, nil
	}
	q.Freshness.Mode = cmp.Or(q.Freshness.Mode, i.mode)
	f, err := i.cache.Ask(ctx, q)
	return f.Claims, err
}

// refuses says why a token is not even asked about.
func (i *Issuer) refuses(tok secret.Text) authz.Unusable {
	t := tok.Reveal()
	switch {
	case t == "":
		return authz.NotUsable(authz.Unreadable, "is empty")
	case len(t) > introspect.MaxTokenBytes:
		return introspect.TooLong()
	}
	for _, p := range i.refusedPrefixes {
		if strings.HasPrefix(t, p) {
			return authz.NotUsable(authz.WrongType, "begins with a prefix that is refused")
		}
	}
	return authz.Unusable{}
}

// Ask puts one question past cache and guard, for diagnosis. The Answer is filled as far as things went when there is
// an error too. In a mode that validates locally that is done as for a request.
func (i *Issuer) Ask(ctx context.Context, tok secret.Text) (introspect.Answer, error) {
	var a introspect.Answer
	client := introspect.AskerFunc(func(ctx context.Context, q introspect.Question) (f introspect.Fact, err error) {
		f, a, err = i.client.Diagnose(ctx, q.Token)
		return f, err
	})
	f, err := i.local.Before(client).Ask(ctx, introspect.Question{Token: tok,
		Freshness: authz.Freshness{Mode: i.mode}})
	a.Claims = f.Claims
	return a, err
}

// Probe puts one question to the server, past all other layers: for a token that is none of the server's, which a
// mode that validates locally would not ask about. Otherwise it is like Ask.
func (i *Issuer) Probe(ctx context.Context, tok secret.Text) (introspect.Answer, error) {
	_, a, err := i.client.Diagnose(ctx, tok)
	return a, err
}

// Name is the configured name.
func (i *Issuer) Name() string { return i.name }

// Issuer is the identifier, which may be empty.
func (i *Issuer) Issuer() string { return i.issuer }

// IgnoredKeys lists the keys of the issuer's set that may not be used, as it was last fetched.
func (i *Issuer) IgnoredKeys() []jose.Ignored { return i.keySet.Ignored() }

// Breaker is the state of the circuit breaker before the server.
func (i *Issuer) Breaker() guard.State { return i.guard.Breaker() }

// Stats is the size of what is held.
func (i *Issuer) Stats() cache.Stats { return i.cache.Stats() }

// Sweep gives back the memory of expired answers. Nothing expired is ever returned, swept or not.
func (i *Issuer) Sweep() { i.cache.Sweep() }

// Warm discovers the endpoint, with pauses from 1 s to 30 s between attempts, until it is known or ctx ends. It
// returns at once when the endpoint is configured. The first questions are faster after it, and answered without it
// too.
func (i *Issuer) Warm(ctx context.Context) { i.server.Warm(ctx) }

// Close refuses new questions, waits for those in flight, each of which ends within the configured timeout, and
// closes the connections. What is cached can still be had.
func (i *Issuer) Close() {
	i.cache.Close()
	i.keySet.Close()
	i.server.Close()
}
