package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

const maxKeysBytes = 1 << 20

// authMethods are the methods of client authentication that a server supports at its introspection endpoint, or says
// of its token endpoint; nil when it says nothing.
func authMethods(doc *oauth.Metadata) []string {
	for _, endpoint := range []oauth.Endpoint{"introspection_endpoint", "token_endpoint"} {
		if methods, _ := doc.Names(string(endpoint) + "_auth_methods_supported"); methods != nil {
			return methods
		}
	}
	return nil
}

// Discover reads the metadata of the issuer that server was made for, and says what is wrong with it. The metadata is
// nil when none can be had.
func Discover(
	ctx context.Context, server *oauth.Server, issuer string, timeout time.Duration,
) (*oauth.Metadata, Finding) {
	var missing []string
	for _, u := range oauth.WellKnown(issuer) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		r, err := server.Get(ctx, u, oauth.MaxMetadataBytes)
		cancel()
		if err != nil {
			return nil, Finding{"metadata", Fault, err.Error(), unreachable(err, u)}
		}
		doc, ok := oauth.ReadMetadata(r)
		if !ok {
			missing = append(missing, u)
			continue
		}
		if named := doc.Member("issuer"); named != issuer {
			says := fmt.Sprintf("the server calls itself %s, and issuer is %q: %s", quoted(named), issuer,
				difference(issuer, named))
			do := "write issuer exactly as the server does, and reach it by that name everywhere: tokens name it " +
				"too (iss). The document is " + u
			return &doc, Finding{"metadata", Fault, says, do}
		}
		return &doc, Finding{"metadata", Good, "found at " + u, ""}
	}
	return nil, Finding{"metadata", Fault, "there is no metadata at " + strings.Join(missing, " nor at "),
		"compare issuer with the server's documentation (a path such as /realms/NAME belongs to it), or set " +
			"introspection_endpoint"}
}

// metadata looks at what the server says of itself, and how far that fits the configuration.
func (e *exam) metadata(ctx context.Context) *oauth.Metadata {
	s := e.cfg.Endpoint
	if s.Issuer == "" {
		e.found("metadata", Doubt, "set issuer: answers and tokens of another issuer are then refused",
			"issuer is not set, so nothing can be compared with it")
		return nil
	}
	doc, f := Discover(ctx, e.server, s.Issuer, s.Timeout)
	if f.Level == Fault && doc == nil && s.IntrospectionEndpoint != "" {
		f.Level = Doubt // it is not needed
	}
	e.findings = append(e.findings, f)
	if doc == nil || f.Level == Fault {
		return doc
	}
	if e.asks() && s.IntrospectionEndpoint == "" && doc.Member("introspection_endpoint") == "" {
		e.found("metadata", Fault, "set introspection_endpoint if the server has one all the same; else use mode: jwt",
			"the metadata names no introspection_endpoint")
	}
	methods := authMethods(doc)
	if e.asks() && methods != nil && !s.Client.SupportedBy(methods) {
		e.found("metadata", Doubt, "set client.auth to one of them, and register the client for it",
			"client.auth is %s, and the server supports %s", s.Client.Auth, quoted(strings.Join(methods, ", ")))
	}
	e.assertions()
	e.hosts(doc)
	signing, _ := doc.Names("introspection_signing_alg_values_supported")
	if e.cfg.RequireSigned && len(signing) == 0 {
		e.found("metadata", Doubt, "look in its documentation for RFC 9701, and register the client for signed "+
			"introspection responses", "require_signed is set, and the metadata names no "+
			"introspection_signing_alg_values_supported")
	}
	return doc
}

// assertions is about an aud at which the server calls every token inactive: only the configuration shows that.
func (e *exam) assertions() {
	e.cfg.Warn(func(key, cause, hint string) {
		if key == "client.assertion_audience" {
			e.found("credentials", Fault, hint, "%s %s", key, cause)
		}
	})
}

// hosts is about endpoints that credentials are not sent to, for where they are: the host is not the issuer's.
func (e *exam) hosts(doc *oauth.Metadata) {
	s := e.cfg.Reached()
	if !e.asks() || s.IntrospectionEndpoint != "" || doc.Member("introspection_endpoint") == "" {
		return
	}
	named, member, err := doc.Endpoint(s.Client, oauth.Introspection)
	if err == nil {
		err = e.server.CheckURL(member, named)
	}
	if err != nil {
		e.unsent = true
		e.found("metadata", Fault, unreachable(err, named), "%v", err)
	}
}

// keys looks at the server's key set.
func (e *exam) keys(ctx context.Context, doc *oauth.Metadata) {
	u := e.cfg.Endpoint.JWKSURI
	named := u == "" && doc != nil
	if named {
		u = doc.Member(string(oauth.JWKS))
	}
	if u == "" {
		e.found("keys", Fault, "set jwks_uri", "keys are needed to check signatures, and nothing names where they are")
		return
	}
	if err := e.server.CheckURL(string(oauth.JWKS), u); named && err != nil {
		e.found("keys", Fault, "if the server's keys are really there, set jwks_uri to that URL, or list its host "+
			"in endpoint_hosts", "%v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Endpoint.Timeout)
	defer cancel()
	r, err := e.server.Get(ctx, u, maxKeysBytes)
	if err != nil {
		e.found("keys", Fault, unreachable(err, u), "%v", err)
		return
	}
	const look = "open it and look: it should be a JWK Set (RFC 7517) with RSA keys of 2048 bits or more, or EC or " +
		"Ed25519 keys"
	if r.Status != 200 {
		e.found("keys", Fault, look, "%s (status %d) has no key that can check a signature", u, r.Status)
		return
	}
	read := func(context.Context) ([]byte, error) { return r.Body, nil }
	set := jose.NewKeySet(jose.KeySetConfig{Name: u, Fetch: read})
	defer set.Close()
	if _, err := set.Find(ctx, jose.Header{}); err != nil {
		e.found("keys", Fault, look, "%s has no key that can check a signature: %v", u, err)
	} else {
		e.found("keys", Good, "", "%s has keys", u)
	}
	for _, k := range set.Ignored() {
		if !k.Expected {
			e.found("keys", Doubt, "replace that key at the server; its other keys are used",
				"tokens that one of the keys signed are refused, for it is ignored: %s", k)
		}
	}
}

// unreachable says what to try when a URL gave no answer at all.
func unreachable(err error, u string) string {
	switch cause := err.Error(); {
	case strings.Contains(cause, "nor in endpoint_hosts"):
		return "if that host is the server's own, add the line: endpoint_hosts: " + hostList(cause)
	case strings.Contains(cause, "the proxy"):
		return "the proxy comes from HTTPS_PROXY and NO_PROXY in the environment of the sidecar: correct them, or " +
			"let it through to " + u
	case strings.Contains(cause, "speaks plain HTTP") || strings.Contains(cause, "does not speak TLS"):
		return "write the port at which the server speaks TLS; http:// is for loopback only, with allow_insecure_http"
	case strings.Contains(cause, "speaks TLS"):
		return "write https:// instead of http://"
	case strings.Contains(cause, "unknown authority"):
		return "set ca_file to the PEM file of the authority that signed the server's certificate"
	case strings.Contains(cause, "not valid for"):
		return "reach the server by a name that is in its certificate"
	case strings.Contains(cause, "certificate"):
		return "look at the server's certificate: openssl s_client -connect HOST:PORT"
	case authz.KindOf(err) == authz.Misconfigured:
		return "waiting does not help: correct what the cause names, in the configuration or at the server"
	}
	return "try it from this machine: curl -v " + u
}

// hostList is the value of endpoint_hosts that permits what a cause names.
func hostList(cause string) string {
	_, rest, _ := strings.Cut(cause, `is on host "`)
	host, _, _ := strings.Cut(rest, `"`)
	return fmt.Sprintf("[%q]", host)
}

// difference says in words how two issuers that are not equal differ. Equal is what they must be, to the letter.
func difference(configured, named string) string {
	a, err := url.Parse(configured)
	b, err2 := url.Parse(named)
	if err != nil || err2 != nil || b.Host == "" {
		return "the former is no URL"
	}
	var out []string
	if a.Scheme != b.Scheme {
		out = append(out, "the schemes differ")
	}
	switch x, y := a.Hostname(), b.Hostname(); {
	case x == y:
	case strings.EqualFold(x, y):
		out = append(out, "the hosts differ in upper and lower case")
	case httpuri.Loopback(x) && httpuri.Loopback(y):
		out = append(out, "localhost, 127.0.0.1 and ::1 are three issuers, though one server")
	default:
		out = append(out, "the hosts differ")
	}
	if a.Port() != b.Port() {
		out = append(out, "the ports differ")
	}
	switch x, y := a.EscapedPath(), b.EscapedPath(); {
	case x == y:
	case strings.TrimSuffix(x, "/") == strings.TrimSuffix(y, "/"):
		out = append(out, "one ends in a slash and the other does not")
	default:
		out = append(out, "the paths differ")
	}
	if out == nil {
		return "they are spelled differently"
	}
	return strings.Join(out, ", ")
}
