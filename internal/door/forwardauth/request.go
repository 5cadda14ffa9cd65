package forwardauth

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
)

// seen is a request as the gateway saw it.
type seen struct{ method, uri, host, scheme, source string }

// errForm is a check about what is no request: a client wrote what the gateway passed on.
var errForm = errors.New("the check is about what is no request")

// read finds the request of a check.
func (c Config) read(r *http.Request) (seen, error) {
	if door.SpeaksGRPC(r) {
		return seen{}, errors.New("the check speaks gRPC, and this listener is for checks over HTTP: have Envoy ask listen.grpc, or " +
			"replace grpc_service by http_service, as in docs/gateways/envoy.md")
	}
	at := c.places()
	found := map[string]string{}
	for _, name := range at.names() {
		values := r.Header[name]
		if len(values) != 1 || values[0] == "" {
			return seen{}, c.misses(r.Header, name)
		}
		found[name] = values[0]
	}
	s := seen{found[at.method], found[at.uri], found[at.host], found[at.scheme], c.Source.client(found[at.source])}
	switch c.Profile {
	case IngressNginx:
		// The whole URL is not read as one: what the client wrote as Host could end in "?".
		before, whole := strings.CutSuffix(found[at.url], s.uri)
		scheme, host, cut := strings.Cut(before, "://")
		if !whole || !cut {
			return seen{}, fmt.Errorf("%w: X-Original-Url does not end with X-Auth-Request-Redirect", errForm)
		}
		s.scheme, s.host = scheme, host
	case Envoy:
		rest, ok := strings.CutPrefix(r.RequestURI, c.Prefix)
		if !ok {
			return seen{}, fmt.Errorf("the path of the check does not begin with %s: prefix of the listener must "+
				"be the path_prefix of Envoy", c.Prefix)
		}
		s.method, s.uri, s.host = r.Method, rest, r.Host
	case Nginx, HAProxy, Traefik, Caddy:
	}
	return s, s.check()
}

// check returns errForm for what no request can be.
func (s seen) check() error {
	switch {
	case !strings.HasPrefix(s.uri, "/"):
		return fmt.Errorf("%w: the target does not begin with a slash", errForm)
	case s.host == "" || strings.ContainsAny(s.host, "/?#\\@ "):
		return fmt.Errorf("%w: the host is empty, or has a character that no host has", errForm)
	case s.scheme != "http" && s.scheme != "https":
		return fmt.Errorf("%w: the scheme is neither http nor https", errForm)
	}
	return nil
}

// ofTheCheck are headers that belong to the call of the gateway, and not to the request.
var ofTheCheck = []string{"Connection", "Keep-Alive", "Te", "Transfer-Encoding", "Content-Length", "Proxy-Connection",
	"Expect"}

// query is the question of a check.
func (c Config) query(r *http.Request) (authz.Query, error) {
	s, err := c.read(r)
	if err != nil {
		return authz.Query{}, err
	}
	headers := maps.Clone(r.Header)
	for _, name := range slices.Concat(ofTheCheck, c.places().names(), []string{c.keyHeader()}) {
		delete(headers, name)
	}
	lower := door.LowerNames(headers)
	lower["host"] = []string{s.host}
	request := authz.Request{Method: s.method, URL: s.scheme + "://" + s.host + s.uri, Headers: lower,
		SourceIP: s.source}
	err = c.readBody(r, &request)
	return authz.Query{Entrypoint: c.Entrypoint, Place: c.Credential.Place(), Request: request,
		Caller: r.RemoteAddr}, err
}

func (c Config) keyHeader() string { return http.CanonicalHeaderKey(c.KeyHeader) }
