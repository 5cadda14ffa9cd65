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
	"github.com/authz-sidecar/sidecar/internal/jose"
)

const (
	refreshEvery     = time.Hour
	maxMetadataBytes = 1 << 20
	maxEndpointBytes = 2 << 10
)

// Endpoint names a URL of a server by the member of its metadata (RFC 8414 section 2).
type Endpoint string

// The endpoints that are asked.
const (
	Introspection Endpoint = "introspection_endpoint"
	JWKS          Endpoint = "jwks_uri"
	TokenEndpoint Endpoint = "token_endpoint"
)

// discovery knows the endpoints: the configured ones, and those in the issuer's metadata (RFC 8414, OpenID Connect
// Discovery 1.0). What was once found is kept until something better is found.
type discovery struct {
	cfg   Config
	needs []Endpoint // those that are not configured
	wants []Endpoint // likewise, and a document may lack them
	get   func(ctx context.Context, from string, limit int64) (Reply, error)
	log   *slog.Logger

	configured map[Endpoint]string
	known      *fetch.Value[map[Endpoint]string]
}

func newDiscovery(cfg Config, needs []Endpoint, get func(context.Context, string, int64) (Reply, error), log *slog.Logger) *discovery {
	d := &discovery{cfg: cfg, get: get, log: log, configured: map[Endpoint]string{}}
	for _, e := range needs {
		if u := cfg.endpoint(e); u != "" {
			d.configured[e] = u
		} else {
			d.needs = append(d.needs, e)
		}
	}
	d.known = fetch.New(fetch.Config[map[Endpoint]string]{
		Name: fmt.Sprintf("discover issuer %q", cfg.Issuer), Fetch: d.look, Done: d.tell,
		Lifetime: func(_ map[Endpoint]string, began time.Time) (renew, end time.Time) {
			return began.Add(refreshEvery), time.Time{}
		},
	})
	return d
}

// tell logs how an attempt ended.
func (d *discovery) tell(found map[Endpoint]string, err error) {
	for _, e := range d.needs {
		if err != nil {
			d.log.Warn("discovery did not succeed", "issuer", d.cfg.Name, "cause", err, string(e), d.current(e))
		} else {
			d.log.Info("discovered endpoint", "issuer", d.cfg.Name, string(e), found[e])
		}
	}
}

// want adds endpoints that a document may lack. It is called before anything is looked for.
func (d *discovery) want(wants []Endpoint) {
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

// current is an endpoint as it is known now; empty when it is not.
func (d *discovery) current(e Endpoint) string {
	if u, ok := d.configured[e]; ok {
		return u
	}
	if k := d.known.Kept(); k != nil {
		return k.Value[e]
	}
	return ""
}

// find returns an endpoint. It waits only when none is known yet; an aged one is returned and refreshed behind its back.
func (d *discovery) find(ctx context.Context, e Endpoint) (string, error) {
	if u, ok := d.configured[e]; ok {
		return u, nil
	}
	if !slices.Contains(d.needs, e) && !slices.Contains(d.wants, e) {
		return "", authz.Errorf(authz.Internal, "discover issuer %q: nobody said that %s is needed", d.cfg.Issuer, e)
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

// errNoMetadata marks a URL at which there is none: another URL may be right.
var errNoMetadata = errors.New("no metadata there")

// look asks both well-known URLs (MD-1) and returns what the first document with all needed endpoints names. Of two failures the
// one that says more is reported: that a document is wrong, then that there was no answer, then that nothing is there.
func (d *discovery) look(ctx context.Context) (map[Endpoint]string, error) {
	if cause, _ := d.cfg.faultOfURL(d.cfg.Issuer); cause != "" {
		return nil, authz.Errorf(authz.Misconfigured, "discover issuer %q: it %s", d.cfg.Issuer, cause)
	}
	var first error
	for _, u := range WellKnown(d.cfg.Issuer) {
		endpoints, err := d.read(ctx, u)
		if err == nil {
			return endpoints, nil
		}
		if first == nil || telling(err) > telling(first) {
			first = err
		}
	}
	return nil, first
}

// telling orders the failures of look by how much they say.
func telling(err error) int {
	switch {
	case errors.Is(err, errNoMetadata):
		return 0
	case authz.KindOf(err) != authz.Misconfigured:
		return 1
	}
	return 2
}

// WellKnown lists where the metadata of an issuer may be, in the order in which it is looked for: the name inserted between
// host and path as RFC 8414 section 3.1 has it, then appended as OpenID Connect Discovery 1.0 section 4.1 does. Both drop a
// trailing slash of the issuer first.
func WellKnown(issuer string) []string {
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

// read fetches one document and takes the endpoints from it: MD-2, MD-4.
func (d *discovery) read(ctx context.Context, from string) (map[Endpoint]string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	r, err := d.get(ctx, from, maxMetadataBytes)
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(from, "https://"+r.host())
	path = strings.TrimPrefix(path, "http://"+r.host())
	switch {
	case r.Temporary():
		return nil, r.Refuse(authz.Unavailable, "no metadata from "+path)
	case r.Status >= 300:
		return nil, authz.Errorf(authz.Misconfigured, "ask %q: status %d at %s, %w", r.host(), r.Status, path, errNoMetadata)
	case r.Status != http.StatusOK || r.Over || !r.IsJSON():
		return nil, r.Refuse(authz.Unavailable, "no JSON document at "+path)
	}
	doc, ok := jose.ReadClaims(r.Body)
	if !ok {
		return nil, r.Refuse(authz.Unavailable, "no valid metadata at "+path)
	}
	switch issuer, err := doc.Text("issuer"); {
	case err != nil:
		return nil, r.Refuse(authz.Unavailable, fmt.Sprintf("no valid metadata at %s: %s", path, err))
	case issuer != d.cfg.Issuer:
		return nil, r.Refuse(authz.Misconfigured, fmt.Sprintf("the metadata at %s is of another issuer: it names %+.100q, configured is %q", path, issuer, d.cfg.Issuer))
	}
	return d.endpointsOf(doc)
}

// endpointsOf takes the needed endpoints from a document. A client that authenticates by its certificate takes those that are
// for it, where there are such (MTLS-2); they are as little believed as the others.
func (d *discovery) endpointsOf(doc jose.Claims) (map[Endpoint]string, error) {
	named, members := map[Endpoint]string{}, map[Endpoint]string{}
	for _, e := range []Endpoint{Introspection, JWKS, TokenEndpoint} {
		members[e] = string(e)
		named[e], _ = doc.Text(string(e)) // one that cannot be read is none
	}
	const aliases = "mtls_endpoint_aliases"
	if d.cfg.Client.ShowsCertificate() && doc.Has(aliases) {
		if doc.Value(aliases).Kind() != '{' {
			return nil, authz.Errorf(authz.Misconfigured, "discover issuer %q: its mtls_endpoint_aliases are no URLs", d.cfg.Issuer)
		}
		for e := range named {
			switch alias, err := doc.Object(aliases).Text(string(e)); {
			case err != nil:
				return nil, authz.Errorf(authz.Misconfigured, "discover issuer %q: its mtls_endpoint_aliases are no URLs", d.cfg.Issuer)
			case alias != "":
				named[e], members[e] = alias, aliases+"."+string(e)
			}
		}
	}
	found := map[Endpoint]string{}
	for _, e := range d.needs {
		if err := d.faultOfEndpoint(members[e], named[e]); err != nil {
			return nil, err
		}
		found[e] = named[e]
	}
	for _, e := range d.wants {
		if d.faultOfEndpoint(members[e], named[e]) == nil {
			found[e] = named[e]
		}
	}
	return found, nil
}

// faultOfEndpoint is why credentials are not sent to an endpoint that a member of a document named.
func (d *discovery) faultOfEndpoint(member, named string) error {
	if named == "" {
		return authz.Errorf(authz.Misconfigured, "discover issuer %q: the metadata names no %s", d.cfg.Issuer, member)
	}
	if u, err := url.Parse(named); err == nil && u.Scheme == "http" && d.cfg.Client.ShowsCertificate() && !strings.HasSuffix(member, string(JWKS)) {
		return authz.Errorf(authz.Misconfigured, "discover issuer %q: %s is not https, over which no certificate is shown", d.cfg.Issuer, member)
	}
	if len(named) > maxEndpointBytes {
		return authz.Errorf(authz.Misconfigured, "discover issuer %q: %s is over %d bytes", d.cfg.Issuer, member, maxEndpointBytes)
	}
	if cause, _ := d.cfg.faultOfURL(named); cause != "" {
		return authz.Errorf(authz.Misconfigured, "discover issuer %q: %s %s", d.cfg.Issuer, member, cause)
	}
	issuer, err := url.Parse(d.cfg.Issuer)
	u, err2 := url.Parse(named)
	if err != nil || err2 != nil {
		return authz.Errorf(authz.Misconfigured, "discover issuer %q: a URL cannot be read", d.cfg.Issuer)
	}
	permitted := func(h string) bool { return strings.EqualFold(h, u.Host) || strings.EqualFold(h, u.Hostname()) }
	if authority(u) != authority(issuer) && !slices.ContainsFunc(d.cfg.EndpointHosts, permitted) {
		return authz.Errorf(authz.Misconfigured, "discover issuer %q: %s is on host %q, which is neither the issuer's nor in endpoint_hosts", d.cfg.Issuer, member, u.Host)
	}
	return nil
}
