package introspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
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
	identifiers     []string // what the issuer is called in tokens and events
	refusedPrefixes []string
	keys            keys
	cache           *cache
	flight          *flight
	mode            Mode
	asker           asker
	modes           *modes
	keySet          *jose.KeySet
	guard           *guard
	bound           atomic.Pointer[ttlCap] // on the age of answers; nil for none
	observer        Observer
	log             *slog.Logger
	canary          canary
	client          *client // for Ask, which goes past all that asker is dressed in
	server          *oauth.Server
}

var _ Introspector = (*Issuer)(nil)

// Stats is the size of what an Issuer holds.
type Stats struct {
	Active, Inactive CacheStats
	// Tombstones are revocations that may overtake a question under way, Revocations those remembered against JWTs.
	Tombstones, Revocations int
}

// New checks cfg, reads the secret and the certificates that it names, and builds Cache, Flight and Client. It asks nobody:
// an authorization server that is down is no reason not to start. The error lists all faults.
func New(cfg Config, deps Deps) (*Issuer, error) {
	var faults []error
	cfg.Check(func(key, cause, _ string) { faults = append(faults, fmt.Errorf("%s: %s", key, cause)) })
	if deps.Fingerprints == nil {
		faults = append(faults, errors.New("no fingerprinter is given"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("check issuer %q: %w", cfg.Endpoint.Name, errors.Join(faults...))
	}
	signed := cfg.SignedResponse
	decrypter, err := jose.NewDecrypter(signed.DecryptionKey, signed.EncryptionAlgorithms, signed.EncryptionEncodings)
	if err != nil {
		return nil, fmt.Errorf("set up issuer %q: signed_response.decryption_key: %w", cfg.Endpoint.Name, err)
	}
	needs, wants := cfg.needs()
	needs = cfg.needsToken(needs)
	server, err := oauth.New(cfg.Reached(), oauth.Deps{Needs: needs, Wants: wants, Log: deps.Log, Transport: deps.Transport})
	if err != nil {
		return nil, err
	}
	return build(cfg, deps, server, decrypter), nil
}

func build(cfg Config, deps Deps, server *oauth.Server, decrypter *jose.Decrypter) *Issuer {
	if deps.Observer == nil {
		deps.Observer = nopObserver{}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	name := cfg.Endpoint.Name
	k := keys{fingerprints: deps.Fingerprints, name: name, issuer: cfg.Endpoint.Issuer, clientID: cfg.Endpoint.Client.ID}
	keySet, reader := newKeySet(cfg, server, deps.Log), cfg.reader()
	c := &client{
		name: name, timeout: cfg.Endpoint.Timeout, server: server,
		reader: reader, seal: newSeal(cfg, keySet, decrypter), observer: deps.Observer, bearer: cfg.Endpoint.Client.ShowsToken(),
	}
	g := newGuard(c, cfg, k, deps.Observer)
	g.breaker.log = deps.Log
	cache := newCache(cfg, k, deps.Observer)
	m := newModes(cfg, g, reader, keySet, server, cache.revokedBy)
	return &Issuer{
		name:            name,
		issuer:          cfg.Endpoint.Issuer,
		identifiers:     append([]string{cfg.Endpoint.Issuer}, cfg.Match.Issuers...),
		refusedPrefixes: c.reader.RefusedPrefixes(),
		keys:            k,
		cache:           cache,
		flight:          newFlight(name, cfg.MaxInFlight, deps.Observer),
		mode:            cfg.mode(),
		asker:           m,
		modes:           m,
		guard:           g,
		keySet:          keySet,
		observer:        deps.Observer,
		log:             deps.Log,
		canary:          canary{every: cfg.Canary.Every, scope: cfg.CanaryScope()},
		client:          c,
		server:          server,
	}
}

// Introspect returns what the server says, or lately said, about the token of q. See Introspector for its errors.
func (i *Issuer) Introspect(ctx context.Context, q Question) (*authz.Claims, error) {
	now := time.Now()
	if why := i.refuses(q.Token); why != "" {
		return dialect.Unusable(why, now).Claims, nil
	}
	q.Freshness.Mode = i.effective(q.Freshness)
	since := i.notBefore(q.Freshness.Since(now), now)
	key := i.key(q, i.server.KnownEndpoint(oauth.Introspection))
	if e := i.cache.look(key, since, now); e != nil {
		if e.stale(now) {
			i.observer.Stale(i.name, Refreshing)
			i.refresh(ctx, q, e, now)
		}
		return e.claims, nil
	}
	claims, err := i.find(ctx, q, since)
	if serverFailed(err) {
		if old := i.cache.old(key, since); old != nil {
			i.observer.Stale(i.name, Failing)
			return old, nil
		}
	}
	return claims, err
}

// key is the name under which an answer to q is kept. The first question of all finds out where the endpoint is: those
// who come before and after that share a flight too, whose key has no endpoint.
func (i *Issuer) key(q Question, endpoint string) secret.Fingerprint {
	return i.keys.of(q.Token, endpoint, q.Freshness.Mode)
}

// find asks, or waits for somebody else's question that is new enough.
func (i *Issuer) find(ctx context.Context, q Question, since time.Time) (*authz.Claims, error) {
	peek := func() *authz.Claims {
		return i.cache.peek(i.key(q, i.server.KnownEndpoint(oauth.Introspection)), since)
	}
	return i.flight.share(ctx, i.key(q, ""), since, peek, func(ctx context.Context) (*authz.Claims, error) { return i.ask(ctx, q) })
}

// refresh asks in the background, once for each entry and pause. When that fails the entry stays as it is.
func (i *Issuer) refresh(ctx context.Context, q Question, e *entry, now time.Time) {
	if !e.due(now) {
		return
	}
	err := i.flight.startDetached(ctx, i.key(q, ""), func(ctx context.Context) (*authz.Claims, error) {
		claims, err := i.ask(ctx, q)
		outcome := "ok"
		if err != nil {
			outcome = "failed"
		}
		i.observer.Refreshed(i.name, outcome)
		return claims, err
	})
	if err != nil {
		i.observer.Refreshed(i.name, Crowded)
	}
}

// maxAsks bounds how often one flight asks when revocations keep overtaking it.
const maxAsks = 3

// ask asks and keeps the answer, before the flight lands, so that nobody starts a second one in between. A revocation that
// arrives while the question is under way wins: the answer may be older, and the question is put again.
func (i *Issuer) ask(ctx context.Context, q Question) (*authz.Claims, error) {
	for range maxAsks {
		claims, ok, err := i.attempt(ctx, q)
		if ok || err != nil {
			return claims, err
		}
	}
	return nil, authz.Errorf(authz.Unavailable, "introspect at issuer %q: the token was revoked %d times while it was asked about", i.name, maxAsks)
}

func (i *Issuer) attempt(ctx context.Context, q Question) (claims *authz.Claims, ok bool, err error) {
	i.cache.settles.wait(ctx, i.cache.marker.token(q.Token))
	d := i.cache.revoked.begin()
	defer i.cache.revoked.land(d)
	f, err := i.asker.ask(ctx, q)
	if err != nil {
		return nil, false, err
	}
	endpoint := f.endpoint
	if endpoint == "" { // it has a part in no answer that was found out here: that is kept where it is looked for
		endpoint = i.server.KnownEndpoint(oauth.Introspection)
	}
	settle := func() { i.flight.forget(i.key(q, "")) }
	return f.Claims, i.cache.keep(i.key(q, endpoint), q.Token, f, d, settle), nil
}

// IgnoredKeys lists the keys of the issuer's set that may not be used, as it was last fetched.
func (i *Issuer) IgnoredKeys() []jose.Ignored { return i.keySet.Ignored() }

// Name is the configured name.
func (i *Issuer) Name() string { return i.name }

// Issuer is the identifier, which may be empty.
func (i *Issuer) Issuer() string { return i.issuer }

func tooLong() string { return fmt.Sprintf("is longer than %d bytes", maxTokenBytes) }

// refuses says why a token is not even asked about.
func (i *Issuer) refuses(tok secret.Text) string {
	t := tok.Reveal()
	switch {
	case t == "":
		return "is empty"
	case len(t) > maxTokenBytes:
		return tooLong()
	}
	for _, p := range i.refusedPrefixes {
		if strings.HasPrefix(t, p) {
			return "begins with a prefix that is refused"
		}
	}
	return ""
}

// Ask puts one question past all caches, for diagnosis. The Answer is filled as far as things went when there is an error too.
// In a mode that validates locally that is done too, as it would be for a request.
func (i *Issuer) Ask(ctx context.Context, tok secret.Text) (Answer, error) {
	var a Answer
	f, err := i.modes.look(ctx, Question{Token: tok, Freshness: authz.Freshness{Mode: i.mode}}, func(ctx context.Context, _ Question) (f fact, err error) {
		f, a, err = i.put(ctx, tok)
		return f, err
	})
	a.Claims = f.Claims
	return a, err
}

// Probe puts one question to the server, past all caches and whatever the mode is: for a token that is none of the server's,
// which a mode that validates locally would not ask about. Otherwise it is like Ask.
func (i *Issuer) Probe(ctx context.Context, tok secret.Text) (Answer, error) {
	f, a, err := i.put(ctx, tok)
	a.Claims = f.Claims
	return a, err
}

// put is one exchange, and the answer as it came.
func (i *Issuer) put(ctx context.Context, tok secret.Text) (fact, Answer, error) {
	f, r, err := i.client.question(ctx, tok)
	date, _ := http.ParseTime(r.Header.Get("Date")) // the zero time when there is none
	a := Answer{Date: date, Endpoint: r.Endpoint, Status: r.Status, ContentType: r.Header.Get("Content-Type"), Error: r.OAuthError(), Body: r.Body}
	if err == nil && i.client.seal != nil && r.Status == http.StatusOK {
		a.Verified, err = i.client.seal.open(ctx, r)
	}
	return f, a, err
}

// Warm discovers the endpoint, with pauses from 1 s to 30 s between attempts, until it is known or ctx ends. It returns
// at once when the endpoint is configured. The first questions are faster after it, and answered without it too.
func (i *Issuer) Warm(ctx context.Context) { i.server.Warm(ctx) }

// Sweep gives back the memory of expired answers. Nothing expired is ever returned, swept or not.
func (i *Issuer) Sweep() { i.cache.sweep() }

// Stats returns the size of what is held.
func (i *Issuer) Stats() Stats {
	pending, remembered := i.cache.revoked.counts()
	return Stats{Active: i.cache.active.stats(), Inactive: i.cache.inactive.stats(), Tombstones: pending, Revocations: remembered}
}

// Breaker is the state of the circuit breaker before the server.
func (i *Issuer) Breaker() BreakerState { return i.guard.breaker.stands() }

// Close refuses new questions, waits for those under way, each of which ends within the configured timeout, and closes the
// connections. What is cached can still be had.
func (i *Issuer) Close() {
	i.flight.close()
	i.keySet.Close()
	i.server.Close()
}

// nopObserver observes nothing.
type nopObserver struct{}

func (nopObserver) Asked(string, string, time.Duration) {}
func (nopObserver) Cached(string, string, bool)         {}
func (nopObserver) Refused(string, string)              {}
func (nopObserver) Retried(string)                      {}
func (nopObserver) Evicted(string, string, string, int) {}
func (nopObserver) Stale(string, string)                {}
func (nopObserver) Refreshed(string, string)            {}
