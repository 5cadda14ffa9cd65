package forwardauth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
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

// all are the headers in the order of the members, "" for one that the gateway does not write.
func (p places) all() [6]string { return [6]string{p.method, p.uri, p.host, p.scheme, p.source, p.url} }

func (p places) names() []string {
	all := p.all()
	return slices.DeleteFunc(all[:], func(name string) bool { return name == "" })
}

// misses says what is wrong with the header name of a check, and which other profile the check fits.
func (c Config) misses(check http.Header, name string) error {
	what := fmt.Sprintf("the check has no %s", name)
	if n := len(check[name]); n > 0 {
		what = fmt.Sprintf("the check has %s %d times, or empty", name, n)
	}
	remedy := fmt.Sprintf("compare the configuration of the gateway with docs/gateways/%s.md", c.Profile)
	var fitting []string
	for _, p := range []Profile{Nginx, HAProxy, IngressNginx, Traefik, Caddy} { // Envoy's one header is theirs too
		lacking := func(n string) bool { return len(check[n]) != 1 }
		if p != c.Profile && !slices.ContainsFunc(p.places().names(), lacking) {
			fitting = append(fitting, string(p))
		}
	}
	if len(fitting) > 0 {
		remedy = fmt.Sprintf("it has those of profile %s: set profile to the gateway that asks here",
			strings.Join(fitting, " and of "))
	}
	return fmt.Errorf("%s, which profile %s needs once: %s", what, c.Profile, remedy)
}
