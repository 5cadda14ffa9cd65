package forwardauth

import (
	"net/http"
	"net/textproto"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Config is one listener, for the checks of one kind of gateway.
type Config struct {
	Name          string  `yaml:"name" doc:"Name of the listener: lower-case letters, digits and hyphens. Logs, metrics and the status call it forward_auth.NAME."`
	Profile       Profile `yaml:"profile" enum:"nginx|ingress-nginx|traefik|caddy|haproxy|envoy" doc:"The gateway: from which headers of a check the request is read, and which statuses reach the client."`
	listen.Config `yaml:",inline" default:"limits.timeout=2s"`
	KeyHeader     string        `yaml:"key_header" default:"x-sidecar-key" doc:"Header of a check that carries the caller key of bearer_keys_file: Authorization is the client's."`
	Prefix        string        `yaml:"prefix" default:"/check" doc:"What profile envoy finds before the path of the request: path_prefix of Envoy."`
	Unavailable   int           `yaml:"unavailable" default:"429" min:"403" max:"503" doc:"Status of an outage for profile envoy: 403, 429 or 503. Envoy drops the body and Retry-After of 503, and with failure_mode_allow lets the request pass."`
	Source        Source        `yaml:"source" doc:"How a check tells the address of the client."`
	Credential    token.Carrier `yaml:"credential" doc:"Where requests carry their token; empty is decision.credential."`
	Entrypoint    string        `yaml:"entrypoint" doc:"Entrypoint of the checks; empty is decision.entrypoint."`
}

// Check reports what listen.Config does, and keys that do not fit together.
func (c Config) Check(fault func(key, cause, hint string)) {
	c.Config.Check(fault)
	if c.Off() {
		fault("address", "is empty", "write host:port, or unix:///path?mode=0660")
	}
	if !isName(c.Name) {
		fault("name", "is not a name of lower-case letters, digits and hyphens", "write one such as nginx")
	}
	if c.Profile == "" {
		fault("profile", "is empty", "name the gateway: nginx, ingress-nginx, traefik, caddy, haproxy or envoy")
	}
	if len(c.Hosts) > 0 {
		fault("hosts", "is for calls under the listener's own name: Host of a check is the client's", "remove it")
	}
	if name := textproto.CanonicalMIMEHeaderKey(c.KeyHeader); !httpuri.IsToken(c.KeyHeader) ||
		name == "Authorization" || name == "Cookie" {
		fault("key_header", "names no header that is the gateway's own", "write one such as x-sidecar-key")
	}
	if c.Prefix == "" || c.Prefix[0] != '/' {
		fault("prefix", "does not begin with a slash", "write the path_prefix of Envoy, such as /check")
	}
	c.checkAnswers(fault)
	c.Source.check(fault)
}

// checkAnswers reports keys that do not say what a profile can do.
func (c Config) checkAnswers(fault func(key, cause, hint string)) {
	switch c.Unavailable {
	case http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		fault("unavailable", "is not 403, 429 or 503", "write 429, which tells clients to come again")
	}
	if c.Profile != Envoy && c.Unavailable != http.StatusTooManyRequests {
		fault("unavailable", "is for profile envoy: the other gateways pass 503 on, or have no other status", "remove it")
	}
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// Profile names a gateway.
type Profile string

// The gateways.
const (
	Nginx        Profile = "nginx"
	IngressNginx Profile = "ingress-nginx"
	Traefik      Profile = "traefik"
	Caddy        Profile = "caddy"
	HAProxy      Profile = "haproxy"
	Envoy        Profile = "envoy"
)

// status is what a gateway is answered so that its client gets the status of a refusal, as far as the gateway can say
// so. nginx knows two refusals, and takes any other for a failure: its configuration restores what X-Authz-Status has.
// Envoy takes a status from 500 for a failure, of which its client gets nothing, or which lets the request pass.
func (c Config) status(refusal int) (status int, restored bool) {
	switch c.Profile {
	case Nginx, IngressNginx:
		if refusal != http.StatusUnauthorized && refusal != http.StatusForbidden {
			return http.StatusForbidden, c.Profile == Nginx
		}
	case Envoy:
		switch {
		case refusal == http.StatusServiceUnavailable:
			return c.Unavailable, false
		case refusal >= http.StatusInternalServerError && c.Unavailable < http.StatusInternalServerError:
			return http.StatusForbidden, false
		}
	case Traefik, Caddy, HAProxy:
	}
	return refusal, false
}
