package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
)

const (
	refreshEvery     = time.Hour
	maxEndpointBytes = 2 << 10
)

// discovery knows the endpoints: the configured ones, and those in the issuer's metadata (RFC 8414, OpenID Connect
// Discovery 1.0). An endpoint that was found stays in use until another document names one.
type discovery struct {
	cfg   Config
	needs []Endpoint // those that are not configured
	wants []Endpoint // likewise, and a document may lack them
	get   func(ctx context.Context, from string, limit int64) (Reply, error)
	log   *slog.Logger

	configured map[Endpoint]string
	known      *fetch.Value[map[Endpoint]string]
	repeats    fetch.Repeats
}

func newDiscovery(
	cfg Config, needs []Endpoint, get func(context.Context, string, int64) (Reply, error), log *slog.Logger,
) *discovery {
	d := &discovery{cfg: cfg, get: get, log: log, configured: map[Endpoint]string{}}
	for _, e := range needs {
		if u := cfg.endpoint(e); u != "" {
			d.configured[e] = u
		} else {
			d.needs = append(d.needs, e)
		}
	}
	d.known = fetch.New(fetch.Config[map[Endpoint]string]{
		Name: fmt.Sprintf("discover issuer %q", cfg.Issuer), Fetch: d.fetch, Done: d.logAttempt,
		Lifetime: func(_ map[Endpoint]string, began time.Time) (renew, end time.Time) {
			return began.Add(refreshEvery), time.Time{}
		},
	})
	return d
}

// logAttempt logs how an attempt ended. Attempts end one after the other.
func (d *discovery) logAttempt(found map[Endpoint]string, err error) {
	if !d.repeats.IsNews(err) {
		return
	}
	for _, e := range d.needs {
		if err != nil {
			d.log.Warn("discovery did not succeed", "issuer", d.cfg.Name, "cause", err, string(e), d.currentURL(e))
		} else {
			d.log.Info("discovered endpoint", "issuer", d.cfg.Name, string(e), found[e])
		}
	}
}

// addOptional adds endpoints that a document may lack. It is called before the first attempt.
func (d *discovery) addOptional(wants []Endpoint) {
	for _, e := range wants {
		if u := d.cfg.endpoint(e); u != "" {
			d.configured[e] = u
		} else if !slices.Contains(d.needs, e) {
			d.wants = append(d.wants, e)
		}
	}
}

// endpoint is the configured URL, or "".
func (c Config) endpoint(e Endpoint) string {
	switch e {
	case Introspection:
		return c.IntrospectionEndpoint
	case JWKS:
		return c.JWKSURI
	case TokenEndpoint:
		return c.TokenEndpoint
	}
	return ""
}

// currentURL is an endpoint as it is known now; "" when it is not.
func (d *discovery) currentURL(e Endpoint) string {
	if u, ok := d.configured[e]; ok {
		return u
	}
	if k := d.known.Kept(); k != nil {
		return k.Value[e]
	}
	return ""
}

// url returns an endpoint. It waits only when none is known yet; one that is due is returned and refreshed in the
// background.
func (d *discovery) url(ctx context.Context, e Endpoint) (string, error) {
	if u, ok := d.configured[e]; ok {
		return u, nil
	}
	if !slices.Contains(d.needs, e) && !slices.Contains(d.wants, e) {
		return "", authz.Errorf(authz.Internal, "discover issuer %q: %s is neither among Needs nor among Wants",
			d.cfg.Issuer, e)
	}
	found, err := d.known.Get(ctx)
	return found[e], err
}

// warm tries until the endpoints are known or ctx ends.
func (d *discovery) warm(ctx context.Context) {
	if len(d.needs) > 0 {
		d.known.Warm(ctx)
	}
}

// errNoMetadata is the cause at a URL without metadata: another URL may have it.
var errNoMetadata = errors.New("no metadata there")

// fetch asks both well-known URLs (MD-1) and returns what the first document with all needed endpoints names. Of two
// failures it returns the more specific one: a document is wrong, then there was no answer, then there is no document.
func (d *discovery) fetch(ctx context.Context) (map[Endpoint]string, error) {
	if cause, _ := d.cfg.problemOfURL(d.cfg.Issuer); cause != "" {
		return nil, authz.Errorf(authz.Misconfigured, "discover issuer %q: it %s", d.cfg.Issuer, cause)
	}
	var first error
	for _, u := range WellKnown(d.cfg.Issuer) {
		endpoints, err := d.read(ctx, u)
		if err == nil {
			return endpoints, nil
		}
		if first == nil || specificity(err) > specificity(first) {
			first = err
		}
	}
	return nil, first
}

// specificity orders the failures of fetch.
func specificity(err error) int {
	switch {
	case errors.Is(err, errNoMetadata):
		return 0
	case authz.KindOf(err) != authz.Misconfigured:
		return 1
	}
	return 2
}

// read fetches one document and takes the endpoints from it: MD-2, MD-4.
func (d *discovery) read(ctx context.Context, from string) (map[Endpoint]string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	r, err := d.get(ctx, from, MaxMetadataBytes)
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(from, "https://"+r.host())
	path = strings.TrimPrefix(path, "http://"+r.host())
	switch {
	case r.Temporary():
		return nil, r.Refuse(authz.Unavailable, "no metadata from "+path)
	case r.Status >= 300:
		return nil, authz.Errorf(authz.Misconfigured, "ask %q: status %d at %s, %w", r.host(), r.Status, path,
			errNoMetadata)
	case r.Status != http.StatusOK || r.Over || !r.IsJSON():
		return nil, r.Refuse(authz.Unavailable, "no JSON document at "+path)
	}
	doc, ok := ReadMetadata(r)
	if !ok {
		return nil, r.Refuse(authz.Unavailable, "no valid metadata at "+path)
	}
	switch issuer, err := doc.Text("issuer"); {
	case err != nil:
		return nil, r.Refuse(authz.Unavailable, fmt.Sprintf("no valid metadata at %s: %s", path, err))
	case issuer != d.cfg.Issuer:
		why := fmt.Sprintf("the metadata at %s is of another issuer: it names %+.100q, configured is %q", path, issuer,
			d.cfg.Issuer)
		return nil, r.Refuse(authz.Misconfigured, why)
	}
	return d.endpointsOf(doc)
}

// endpointsOf takes the endpoints from a document.
func (d *discovery) endpointsOf(doc Metadata) (map[Endpoint]string, error) {
	found := map[Endpoint]string{}
	for _, e := range d.needs {
		u, err := d.endpointOf(doc, e)
		if err != nil {
			return nil, err
		}
		found[e] = u
	}
	for _, e := range d.wants {
		if u, err := d.endpointOf(doc, e); err == nil {
			found[e] = u
		}
	}
	return found, nil
}

func (d *discovery) endpointOf(doc Metadata, e Endpoint) (string, error) {
	u, member, err := doc.Endpoint(d.cfg.Client, e)
	if err != nil {
		return "", d.misconfigured("%s", err.Error())
	}
	return u, d.checkURL(member, u)
}

func (d *discovery) misconfigured(format string, args ...any) error {
	return authz.Errorf(authz.Misconfigured, "discover issuer %q: %s", d.cfg.Issuer, fmt.Sprintf(format, args...))
}

// checkURL is why credentials are not sent to the URL that a member of a document names, or nil.
func (d *discovery) checkURL(member, named string) error {
	if named == "" {
		return d.misconfigured("the metadata names no %s", member)
	}
	u, err := url.Parse(named)
	if err == nil && u.Scheme == "http" && d.cfg.Client.ShowsCertificate() &&
		!strings.HasSuffix(member, string(JWKS)) {
		return d.misconfigured("%s is not https, over which no certificate is shown", member)
	}
	if len(named) > maxEndpointBytes {
		return d.misconfigured("%s is over %d bytes", member, maxEndpointBytes)
	}
	if cause, _ := d.cfg.problemOfURL(named); cause != "" {
		return d.misconfigured("%s %s", member, cause)
	}
	issuer, err2 := url.Parse(d.cfg.Issuer)
	if err != nil || err2 != nil {
		return d.misconfigured("a URL cannot be read")
	}
	permitted := func(h string) bool { return strings.EqualFold(h, u.Host) || strings.EqualFold(h, u.Hostname()) }
	if authority(u) != authority(issuer) && !slices.ContainsFunc(d.cfg.EndpointHosts, permitted) {
		return d.misconfigured("%s is on host %q, which is neither the issuer's nor in endpoint_hosts", member, u.Host)
	}
	return nil
}
