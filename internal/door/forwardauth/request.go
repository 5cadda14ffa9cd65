package forwardauth

import (
	"errors"
	"fmt"
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

// reader reads the checks of a listener.
type reader struct {
	Config
	at places
	// written is how many headers the gateway writes.
	written int
	// key is the header of the caller key, in canonical form.
	key string
	// besides are the headers that are none of the request.
	besides map[string]bool
}

func newReader(c Config) *reader {
	r := &reader{Config: c, at: c.places(), key: http.CanonicalHeaderKey(c.KeyHeader), besides: map[string]bool{}}
	for _, name := range slices.Concat(ofTheCheck, r.at.names(), []string{r.key}) {
		r.besides[name] = true
	}
	r.written = len(r.at.names())
	return r
}

// read finds the request of a check.
func (c *reader) read(r *http.Request) (seen, error) {
	if door.SpeaksGRPC(r) {
		return seen{}, errors.New("the check speaks gRPC, and this listener is for checks over HTTP: have Envoy ask listen.grpc, or " +
			"replace grpc_service by http_service, as in docs/gateways/envoy.md")
	}
	all := c.at.all()
	var found [len(all)]string
	for i, name := range all {
		if name == "" {
			continue
		}
		values := r.Header[name]
		if len(values) != 1 || values[0] == "" {
			return seen{}, c.misses(r.Header, name)
		}
		found[i] = values[0]
	}
	s := seen{found[0], found[1], found[2], found[3], c.Source.client(found[4])}
	switch c.Profile {
	case IngressNginx:
		// The whole URL is not read as one: what the client wrote as Host could end in "?".
		before, whole := strings.CutSuffix(found[5], s.uri)
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
func (c *reader) query(r *http.Request) (authz.Query, error) {
	s, err := c.read(r)
	if err != nil {
		return authz.Query{}, err
	}
	headers := door.LowerNamesBut(r.Header, c.besides, len(r.Header)+1-c.written)
	headers["host"] = []string{s.host}
	request := authz.Request{Method: s.method, URL: s.scheme + "://" + s.host + s.uri, Headers: headers,
		SourceIP: s.source}
	err = c.readBody(r, &request)
	return authz.Query{Entrypoint: c.Entrypoint, Place: c.Credential.Place(), Request: request,
		Caller: r.RemoteAddr}, err
}
