package oauth

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Check reports what the tags of c cannot say: see conf.Checker. It reads no file and prints no secret.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.Name == "" {
		fault("name", "is empty", "")
	}
	c.checkURLs(fault)
	c.checkClient(fault)
}

// CheckResource is Check for a server that is asked for documents alone.
func CheckResource(c Config, fault func(key, cause, hint string)) {
	if cause, hint := c.problemOfURL(c.Resource); cause != "" {
		fault("resource", cause, hint)
	}
	c.Check(fault)
}

func (c Config) checkURLs(fault func(key, cause, hint string)) {
	if c.Issuer == "" && c.IntrospectionEndpoint == "" && c.Resource == "" {
		fault("introspection_endpoint", "neither it nor issuer is set",
			"name the endpoint, or the issuer whose metadata names it")
	}
	if c.Issuer != "" {
		cause, hint := c.problemOfIssuer()
		if cause != "" {
			fault("issuer", cause, hint)
		}
	}
	for _, e := range []Endpoint{Introspection, JWKS, TokenEndpoint} {
		if u := c.endpoint(e); u != "" {
			if cause, hint := c.problemOfURL(u); cause != "" {
				fault(string(e), cause, hint)
			}
		}
	}
	for i, h := range c.EndpointHosts {
		if u, err := url.Parse("https://" + h); err != nil || h == "" || u.Host != h {
			fault(fmt.Sprintf("endpoint_hosts[%d]", i), fmt.Sprintf("%q is no host", h),
				"write host or host:port, without scheme and path")
		}
	}
}

// problemOfIssuer is stricter when the issuer is where metadata comes from than when it is only compared.
func (c Config) problemOfIssuer() (cause, hint string) {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return noURL(c.Issuer)
	case strings.Contains(u.Path, "/.well-known/"):
		return "is the URL of metadata, not an issuer", "write the member issuer of that document: most often what " +
			"stands before /.well-known/"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(c.Issuer, "#"):
		return "has a query or a fragment, which no issuer has (RFC 8414 section 2)", "copy it from the server's " +
			"metadata"
	case c.IntrospectionEndpoint != "" && (c.Client.Auth != ClientCredentials || c.TokenEndpoint != ""):
		return "", ""
	}
	return c.problemOfURL(c.Issuer)
}

// Discoverable reports whether the issuer's metadata may be read: it may not when the issuer is only a name to
// compare.
func (c Config) Discoverable() bool {
	cause, _ := c.problemOfURL(c.Issuer)
	return c.Issuer != "" && cause == ""
}

// problemOfURL says why credentials or tokens must not be sent to a URL, or "" when they may: INT-4.
func (c Config) problemOfURL(raw string) (cause, hint string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "" || u.Hostname() == "":
		return noURL(raw)
	case !reachablePort(u.Port()):
		return "has a port that is not from 1 to 65535", "correct the port, or leave it out"
	case u.User != nil:
		return "holds a user name or a password", "set client.id and client.secret"
	case u.Fragment != "":
		return "has a fragment", "remove what follows the #"
	case u.Scheme == "https":
		return "", ""
	case u.Scheme != "http":
		return fmt.Sprintf("has scheme %q", u.Scheme), "use https"
	case !c.AllowInsecureHTTP:
		return "is not https", "use https, or set allow_insecure_http for a loopback address"
	case !httpuri.Loopback(u.Hostname()):
		return "is not https, and its host is not a loopback address", "use https"
	}
	return "", ""
}

// noURL says why a text that was not read as an absolute URL is none. It does not show the text.
func noURL(raw string) (cause, hint string) {
	switch {
	case strings.TrimSpace(raw) != raw:
		return "begins or ends with a blank", "remove the blank"
	case strings.Contains(raw, " "):
		return "holds a blank, and is no URL", "write %20 where a blank is meant"
	}
	return "is not an absolute URL", "begin with https://"
}

// reachablePort reports whether a port, which may be left out, is one that a server listens on.
func reachablePort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// authority is the host and port that a URL leads to, in one spelling.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
