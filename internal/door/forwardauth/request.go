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

// places are the headers of a check, in canonical form, that a gateway itself writes on every check. They and no
// others say what the request is: all the rest is the client's.
type places struct{ method, uri, host, scheme, source, url string }

// places are those of the gateway. The page of the gateway configures them, where the gateway does not by itself.
func (p Profile) places() places {
	switch p {
	case Nginx, HAProxy:
		return places{method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Original-Host",
			scheme: "X-Original-Scheme", source: "X-Original-For"}
	case IngressNginx:
		return places{method: "X-Original-Method", uri: "X-Auth-Request-Redirect", url: "X-Original-Url",
			source: "X-Real-Ip"}
	case Traefik:
		return places{method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host",
			scheme: "X-Forwarded-Proto", source: "X-Real-Ip"}
	case Caddy:
		return places{method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host",
			scheme: "X-Forwarded-Proto", source: "X-Forwarded-For"}
	case Envoy:
		return places{scheme: "X-Original-Scheme"}
	}
	return places{}
}

// places are those of the profile, but for the source where the listener names another.
func (c Config) places() places {
	at := c.Profile.places()
	if c.Source.Header != "" {
		at.source = http.CanonicalHeaderKey(c.Source.Header)
	}
	return at
}

func (p places) names() []string {
	return slices.DeleteFunc([]string{p.method, p.uri, p.host, p.scheme, p.source, p.url},
		func(name string) bool { return name == "" })
}

// seen is a request as the gateway saw it.
type seen struct{ method, uri, host, scheme, source string }

// errForm is a check whose parts contradict each other: a client wrote what the gateway passed on.
var errForm = errors.New("the parts of the request do not fit together")

// read finds the request of a check.
func (c Config) read(r *http.Request) (seen, error) {
	at := c.places()
	found := map[string]string{}
	for _, name := range at.names() {
		values := r.Header[name]
		if len(values) != 1 || values[0] == "" {
			return seen{}, fmt.Errorf("the check has %d values of %s, which profile %s needs once: compare the "+
				"configuration of the gateway with its page", len(values), name, c.Profile)
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
			return seen{}, errForm
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
	if !strings.HasPrefix(s.uri, "/") || s.host == "" || strings.ContainsAny(s.host, "/?#\\@ ") ||
		s.scheme != "http" && s.scheme != "https" {
		return seen{}, errForm
	}
	return s, nil
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
