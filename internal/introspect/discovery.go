package introspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

const (
	refreshEvery     = time.Hour
	firstBackoff     = time.Second
	longestBackoff   = 30 * time.Second
	maxMetadataBytes = 1 << 20
	maxEndpointBytes = 2 << 10
)

// discovery knows the introspection endpoint: the configured one, or the one in the issuer's metadata (RFC 8414, OpenID
// Connect Discovery 1.0). A value once found is kept until a better one is found; a failure is forgotten after a short while.
type discovery struct {
	cfg  Config
	http *http.Client
	log  *slog.Logger

	known atomic.Pointer[location]

	mu       sync.Mutex
	pending  *attempt // nil when none is under way
	failures int
	lastErr  error
	retryAt  time.Time
	closed   bool

	attempts sync.WaitGroup
	ctx      context.Context // of the attempts, which outlive the requests that start them
	cancel   context.CancelFunc
}

// location is an endpoint and when it was found. A configured one has no such time and never ages.
type location struct {
	endpoint string
	found    time.Time
}

// attempt is one look at the metadata, shared by all who wait for it.
type attempt struct {
	done     chan struct{}
	endpoint string
	err      error
}

func newDiscovery(cfg Config, hc *http.Client, log *slog.Logger) *discovery {
	d := &discovery{cfg: cfg, http: hc, log: log}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	if cfg.IntrospectionEndpoint != "" {
		d.known.Store(&location{endpoint: cfg.IntrospectionEndpoint})
	}
	return d
}

// current is the endpoint as it is known now; empty when it is not.
func (d *discovery) current() string {
	if l := d.known.Load(); l != nil {
		return l.endpoint
	}
	return ""
}

// find returns the endpoint. It waits only when none is known yet; an aged one is returned and refreshed behind its back.
func (d *discovery) find(ctx context.Context) (string, error) {
	l := d.known.Load()
	if l != nil && (l.found.IsZero() || time.Since(l.found) < refreshEvery) {
		return l.endpoint, nil
	}
	a, err := d.begin()
	if l != nil {
		return l.endpoint, nil
	}
	if err != nil {
		return "", err
	}
	select {
	case <-a.done:
		return a.endpoint, a.err
	case <-ctx.Done():
		return "", authz.E(authz.Unavailable, "discover issuer %q: no answer in time", d.cfg.Issuer)
	}
}

// begin starts an attempt or joins the one under way. Shortly after a failure it does neither: MD-5.
func (d *discovery) begin() (*attempt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait := time.Until(d.retryAt)
	switch {
	case d.closed:
		return nil, authz.E(authz.Unavailable, "discover issuer %q: shutting down", d.cfg.Issuer)
	case d.pending != nil:
		return d.pending, nil
	case wait > 0:
		return nil, &authz.Error{
			Kind: authz.Unavailable, RetryAfter: wait,
			Err: fmt.Errorf("discover issuer %q: next attempt in %s, the last one: %s", d.cfg.Issuer, wait.Round(time.Millisecond), d.lastErr.Error()),
		}
	}
	a := &attempt{done: make(chan struct{})}
	d.pending = a
	d.attempts.Go(func() { d.run(a) })
	return a, nil
}

func (d *discovery) run(a *attempt) {
	a.endpoint, a.err = d.look(d.ctx)
	d.mu.Lock()
	d.pending = nil
	if a.err != nil {
		d.retryAt = time.Now().Add(min(firstBackoff<<min(d.failures, 10), longestBackoff))
		d.failures++
		d.lastErr = a.err
	} else {
		d.failures, d.lastErr, d.retryAt = 0, nil, time.Time{}
		d.known.Store(&location{endpoint: a.endpoint, found: time.Now()})
	}
	d.mu.Unlock()
	if a.err != nil {
		d.log.Warn("discovery did not succeed", "issuer", d.cfg.Name, "cause", a.err, "endpoint", d.current())
	} else {
		d.log.Info("discovered introspection endpoint", "issuer", d.cfg.Name, "endpoint", a.endpoint)
	}
	close(a.done)
}

// warm tries until an endpoint is known or ctx ends.
func (d *discovery) warm(ctx context.Context) {
	for d.known.Load() == nil {
		if a, err := d.begin(); err == nil {
			select {
			case <-a.done:
			case <-ctx.Done():
				return
			}
			if a.err == nil {
				return
			}
		}
		d.mu.Lock()
		wait, closed := time.Until(d.retryAt), d.closed
		d.mu.Unlock()
		if closed {
			return
		}
		timer := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (d *discovery) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.attempts.Wait()
}

// errNoMetadata marks a URL at which there is none: another URL may be right.
var errNoMetadata = errors.New("no metadata there")

// look asks both well-known URLs (MD-1) and returns the first endpoint that may be used. Of two failures the one that
// says more is reported.
func (d *discovery) look(ctx context.Context) (string, error) {
	var first error
	for _, u := range wellKnown(d.cfg.Issuer) {
		endpoint, err := d.read(ctx, u)
		if err == nil {
			return endpoint, nil
		}
		if first == nil || errors.Is(first, errNoMetadata) {
			first = err
		}
	}
	return "", first
}

// wellKnown inserts the name between host and path as RFC 8414 section 3.1 has it, then appends it as OpenID Connect
// Discovery 1.0 section 4.1 does. Both drop a trailing slash of the issuer first.
func wellKnown(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil // New has checked it
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	base := u.Scheme + "://" + u.Host
	return []string{
		base + "/.well-known/oauth-authorization-server" + path,
		base + path + "/.well-known/openid-configuration",
	}
}

// read fetches one document and takes the endpoint from it: MD-2, MD-4.
func (d *discovery) read(ctx context.Context, from string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", authz.E(authz.Misconfigured, "discover issuer %q: its URL cannot be used", d.cfg.Issuer)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sidecar")
	r, err := roundTrip(d.http, req, maxMetadataBytes)
	if err != nil {
		return "", err
	}
	var doc struct {
		Issuer   string `json:"issuer"`
		Endpoint string `json:"introspection_endpoint"`
	}
	switch {
	case r.status == http.StatusTooManyRequests || r.status >= 500:
		return "", r.refuse(authz.Unavailable, "no metadata from "+req.URL.Path)
	case r.status >= 300:
		return "", authz.E(authz.Misconfigured, "ask %q: status %d at %s, %w", req.URL.Host, r.status, req.URL.Path, errNoMetadata)
	case r.status != http.StatusOK || r.over || !r.isJSON():
		return "", r.refuse(authz.Unavailable, "no JSON document at "+req.URL.Path)
	case json.Unmarshal(r.body, &doc) != nil:
		return "", r.refuse(authz.Unavailable, "no valid metadata at "+req.URL.Path)
	case doc.Issuer != d.cfg.Issuer:
		return "", r.refuse(authz.Misconfigured, fmt.Sprintf("the metadata at %s is of another issuer than %q", req.URL.Path, d.cfg.Issuer))
	}
	return doc.Endpoint, d.faultOfEndpoint(doc.Endpoint)
}

// faultOfEndpoint is why credentials are not sent to an endpoint that a document named.
func (d *discovery) faultOfEndpoint(endpoint string) error {
	if endpoint == "" {
		return authz.E(authz.Misconfigured, "discover issuer %q: the metadata names no introspection_endpoint", d.cfg.Issuer)
	}
	if len(endpoint) > maxEndpointBytes {
		return authz.E(authz.Misconfigured, "discover issuer %q: introspection_endpoint is over %d bytes", d.cfg.Issuer, maxEndpointBytes)
	}
	if cause, _ := d.cfg.faultOfURL(endpoint); cause != "" {
		return authz.E(authz.Misconfigured, "discover issuer %q: introspection_endpoint %s", d.cfg.Issuer, cause)
	}
	issuer, err := url.Parse(d.cfg.Issuer)
	u, err2 := url.Parse(endpoint)
	if err != nil || err2 != nil {
		return authz.E(authz.Misconfigured, "discover issuer %q: a URL cannot be read", d.cfg.Issuer)
	}
	named := func(h string) bool { return strings.EqualFold(h, u.Host) || strings.EqualFold(h, u.Hostname()) }
	if authority(u) != authority(issuer) && !slices.ContainsFunc(d.cfg.EndpointHosts, named) {
		return authz.E(authz.Misconfigured, "discover issuer %q: introspection_endpoint is on host %q, which is neither the issuer's nor in endpoint_hosts", d.cfg.Issuer, u.Host)
	}
	return nil
}
