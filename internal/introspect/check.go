package introspect

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Methods of client authentication.
const (
	authBasic  = "client_secret_basic"
	authPost   = "client_secret_post"
	authBearer = "bearer"
)

const maxNotBeforeLeeway = time.Minute

// Check reports every fault of c: the key is a dotted name such as "client.secret", the cause says what is wrong, and the
// hint, which may be empty, what to do. It reads no file, asks nobody and prints no secret.
// The words that choose a mode may be empty and then mean their documented default.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.Name == "" {
		fault("name", "is empty", "")
	}
	c.checkWords(fault)
	c.checkURLs(fault)
	c.checkClient(fault)
	checkPointers("tenant", c.Tenant, fault)
	checkPointers("roles", c.Roles, fault)
	for i, p := range c.RefusedPrefixes {
		if p == "" {
			fault(fmt.Sprintf("refused_prefixes[%d]", i), "is empty, and every token begins with nothing", "remove it")
		}
	}
	for i, a := range c.Audience {
		if a == "" {
			fault(fmt.Sprintf("audience[%d]", i), "is empty", "remove it")
		}
	}
	c.checkBounds(fault)
}

func (c Config) checkWords(fault func(key, cause, hint string)) {
	for _, w := range []struct {
		key, value string
		allowed    []string
	}{
		{"dialect", c.Dialect, dialectNames()},
		{"client.auth", c.Client.Auth, []string{authBasic, authPost, authBearer}},
		{"client.basic_encoding", c.Client.BasicEncoding, []string{"form", "raw"}},
		{"absent_audience", c.AbsentAudience, []string{"refuse", "accept"}},
	} {
		if w.value != "" && !slices.Contains(w.allowed, w.value) {
			fault(w.key, fmt.Sprintf("%q is unknown", w.value), "use one of "+strings.Join(w.allowed, ", "))
		}
	}
}

func (c Config) checkURLs(fault func(key, cause, hint string)) {
	if c.Issuer == "" && c.IntrospectionEndpoint == "" {
		fault("introspection_endpoint", "neither it nor issuer is set", "name the endpoint, or the issuer whose metadata names it")
	}
	if c.Issuer != "" {
		cause, hint := c.faultOfIssuer()
		if cause != "" {
			fault("issuer", cause, hint)
		}
	}
	if c.IntrospectionEndpoint != "" {
		if cause, hint := c.faultOfURL(c.IntrospectionEndpoint); cause != "" {
			fault("introspection_endpoint", cause, hint)
		}
	}
	for i, h := range c.EndpointHosts {
		if u, err := url.Parse("https://" + h); err != nil || h == "" || u.Host != h {
			fault(fmt.Sprintf("endpoint_hosts[%d]", i), fmt.Sprintf("%q is no host", h), "write host or host:port, without scheme and path")
		}
	}
}

// faultOfIssuer is stricter when the issuer is where metadata comes from than when it is only compared.
func (c Config) faultOfIssuer() (cause, hint string) {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return "is not an absolute URL", "begin with https://"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(c.Issuer, "#"):
		return "has a query or a fragment, which no issuer has (RFC 8414 section 2)", "copy it from the server's metadata"
	case c.IntrospectionEndpoint != "":
		return "", ""
	}
	return c.faultOfURL(c.Issuer)
}

// faultOfURL says why credentials or tokens must not be sent to a URL, or "" when they may: INT-4.
func (c Config) faultOfURL(raw string) (cause, hint string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "" || u.Hostname() == "":
		return "is not an absolute URL", "begin with https://"
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
	case !loopback(u.Hostname()):
		return "is not https, and its host is not a loopback address", "use https"
	}
	return "", ""
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (c Config) checkClient(fault func(key, cause, hint string)) {
	if c.Client.Auth != authBearer && c.Client.ID == "" {
		fault("client.id", "is empty", "name the client that the authorization server knows this sidecar by")
	}
	if c.Client.BasicEncoding == "raw" && strings.Contains(c.Client.ID, ":") {
		fault("client.id", "holds a colon, which raw Basic credentials cannot carry", "set client.basic_encoding to form")
	}
	switch s := c.Client.Secret; {
	case s.IsZero():
		fault("client.secret", "names neither a file nor an environment variable", "set client.secret.file or client.secret.env")
	case s.File != "" && s.Env != "":
		fault("client.secret", "names both a file and an environment variable", "keep one of client.secret.file and client.secret.env")
	}
}

func checkPointers(key string, pointers []string, fault func(key, cause, hint string)) {
	for i, p := range pointers {
		if p == "" || !jsontext.Pointer(p).IsValid() {
			fault(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is not a JSON pointer to a member (RFC 6901)", p), "write /name, or /outer/inner")
		}
	}
}

func (c Config) checkBounds(fault func(key, cause, hint string)) {
	for _, d := range []struct {
		key      string
		value    time.Duration
		min, max time.Duration
	}{
		{"timeout", c.Timeout, time.Millisecond, time.Hour},
		{"not_before_leeway", c.NotBeforeLeeway, 0, maxNotBeforeLeeway},
		{"cache.ttl", c.Cache.TTL, 0, 24 * time.Hour},
		{"cache.negative_ttl", c.Cache.NegativeTTL, 0, time.Hour},
	} {
		if d.value < d.min || d.value > d.max {
			fault(d.key, fmt.Sprintf("%s is not between %s and %s", d.value, d.min, d.max), "")
		}
	}
	for _, n := range []struct {
		key        string
		value, min int64
	}{
		{"max_response_bytes", c.MaxResponseBytes, 16},
		{"max_in_flight", int64(c.MaxInFlight), 1},
		{"cache.max_entries", int64(c.Cache.MaxEntries), 1},
		{"cache.max_bytes", c.Cache.MaxBytes, 1},
		{"cache.negative_max_entries", int64(c.Cache.NegativeMaxEntries), 1},
	} {
		if n.value < n.min {
			fault(n.key, fmt.Sprintf("%d is less than %d", n.value, n.min), "")
		}
	}
}

// authority is the host and port that a URL leads to, in one spelling.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
