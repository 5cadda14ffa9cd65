// Package resource knows the protected resources that the sidecar stands for (RFC 9728): which requests are theirs,
// what clients are told of them, and where.
package resource

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/mcp"
)

// Config is one protected resource. Its keys are the members of its metadata (RFC 9728 section 2), and what the
// sidecar does for it.
type Config struct {
	Resource             string   `yaml:"resource" doc:"Identifier of the resource: the URL that users give to clients, such as https://mcp.example/mcp. Compared code point by code point. Its host and its path, with all below, are the requests of the resource."`
	Root                 bool     `yaml:"root" default:"false" doc:"Serve the metadata of this resource at the root of its host too: some clients look only there."`
	AuthorizationServers []string `yaml:"authorization_servers" doc:"Issuer identifiers of the authorization servers whose tokens are accepted."`
	ScopesSupported      []string `yaml:"scopes_supported" doc:"Scopes that clients may know of. Clients ask for all of them where a challenge names none: list what basic use needs."`
	ChallengeScopes      []string `yaml:"challenge_scopes" doc:"Scopes that challenges name where the policy names none. Empty: scopes_supported."`
	AccumulateScopes     bool     `yaml:"accumulate_scopes" default:"true" doc:"Name the scopes of the token beside the missing ones in challenges for more scope. Clients of 2025 ask for what a challenge names alone, and lose the others."`
	AudienceCheck        string   `yaml:"audience_check" default:"resource" enum:"resource|issuers" doc:"resource refuses tokens whose aud does not have the identifier of the resource. issuers leaves the audience to issuers[].audience and to policies."`

	Name                         string   `yaml:"resource_name" doc:"Name for people."`
	Documentation                string   `yaml:"resource_documentation" doc:"URL of a page for developers."`
	PolicyURI                    string   `yaml:"resource_policy_uri" doc:"URL of the rules for clients that use its data."`
	TermsURI                     string   `yaml:"resource_tos_uri" doc:"URL of the terms of service."`
	KeysURI                      string   `yaml:"jwks_uri" doc:"URL of the key set of the resource."`
	SigningAlgorithms            []string `yaml:"resource_signing_alg_values_supported" doc:"Algorithms of signed responses of the resource."`
	AuthorizationDetailsTypes    []string `yaml:"authorization_details_types_supported" doc:"Types of authorization_details that are understood (RFC 9396)."`
	DPoPAlgorithms               []string `yaml:"dpop_signing_alg_values_supported" doc:"Algorithms of DPoP proofs (RFC 9449)."`
	DPoPBoundTokensRequired      bool     `yaml:"dpop_bound_access_tokens_required" default:"false" doc:"Tell clients that tokens must be bound by DPoP. proof.* demands it."`
	CertificateBoundAccessTokens bool     `yaml:"tls_client_certificate_bound_access_tokens" default:"false" doc:"Tell clients that tokens bound to certificates are understood (RFC 8705)."`
	SignedMetadata               string   `yaml:"signed_metadata" doc:"The members as a signed JWT, for clients that want it."`

	MCP mcp.Config `yaml:"mcp" doc:"Model Context Protocol: the resource is the endpoint of an MCP server."`
}

// CheckResource is the value of audience_check by which a token must be for the resource.
const CheckResource = "resource"

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	if cause := identifierFault(c.Resource); cause != "" {
		fault("resource", cause, "write the URL that users give to clients, such as https://mcp.example/mcp")
	}
	if len(c.AuthorizationServers) == 0 {
		fault("authorization_servers", "is empty: clients cannot learn where tokens are issued",
			"write the issuer identifier of the authorization server")
	}
	for i, server := range c.AuthorizationServers {
		if cause := identifierFault(server); cause != "" {
			fault(fmt.Sprintf("authorization_servers[%d]", i), cause, "write the issuer identifier, an https URL")
		}
	}
	for _, list := range []struct {
		key    string
		scopes []string
	}{{"scopes_supported", c.ScopesSupported}, {"challenge_scopes", c.ChallengeScopes}} {
		for i, scope := range list.scopes {
			if !isScope(scope) {
				fault(fmt.Sprintf("%s[%d]", list.key, i), "is no scope: RFC 6749 section 3.3 allows visible ASCII "+
					`without blanks, '"' and '\'`, "write one scope an item")
			}
		}
	}
}

// identifierFault says why s is no identifier of a resource (RFC 9728 section 1.2), or "".
func identifierFault(s string) string {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return "is missing"
	case err != nil || u.Host == "" || strings.ContainsAny(s, "\"\\ <>"):
		return "is no absolute URL"
	case strings.Contains(s, "#"):
		return "has a fragment"
	case u.User != nil:
		return "has a user or a password"
	}
	authority, ok := httpuri.ReadAuthority(u.Host)
	switch {
	case !ok:
		return "has a host that is neither a name nor an address, or a port that is no number from 1 to 65535"
	case u.Scheme == "https", u.Scheme == "http" && httpuri.Loopback(authority.Host):
	default:
		return "is neither https, nor http on a loopback address"
	}
	if _, _, err := httpuri.ReadPath(pathOf(u), httpuri.RefuseAmbiguous); err != nil {
		return err.Error()
	}
	return ""
}

// pathOf is the path of a URL as it is sent.
func pathOf(u *url.URL) string {
	if path := u.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x21 || r > 0x7e || r == '"' || r == '\\'
	})
}

// CheckAll reports resources that share their requests or the place of their metadata.
func CheckAll(all []Config, fault func(key, cause, hint string)) {
	places, roots := map[string]int{}, map[string]int{} // items by host, port and path, and by host and port
	for i, c := range all {
		r := prepare(c)
		if r == nil {
			continue // its own Check says so
		}
		host := fmt.Sprintf("%s:%d", r.host, r.port)
		if first, taken := places[host+r.path]; taken {
			fault(fmt.Sprintf("resources[%d].resource", i),
				fmt.Sprintf("has the requests of resources[%d] too", first), "give each resource a path of its own")
		} else {
			places[host+r.path] = i
		}
		if !c.Root {
			continue
		}
		if first, taken := roots[host]; taken {
			fault(fmt.Sprintf("resources[%d].root", i),
				fmt.Sprintf("is set for resources[%d] of the same host too", first), "leave it set for one of them")
		} else {
			roots[host] = i
		}
	}
}

// WarnAll reports resources for which no issuer accepts tokens. audiences are those of each issuer; nil for one that
// accepts any.
func WarnAll(all []Config, audiences [][]string, warn func(key, cause, hint string)) {
	for i, c := range all {
		accepts := func(list []string) bool { return len(list) == 0 || slices.Contains(list, c.Resource) }
		if c.AudienceCheck == CheckResource && !slices.ContainsFunc(audiences, accepts) {
			warn(fmt.Sprintf("resources[%d].resource", i),
				fmt.Sprintf("is %s, and every issuer refuses tokens for that audience", c.Resource),
				"add it to issuers[].audience, or set audience_check: issuers when tokens carry another audience")
		}
		if slices.Contains(c.ScopesSupported, "offline_access") ||
			slices.Contains(c.ChallengeScopes, "offline_access") {
			warn(fmt.Sprintf("resources[%d].scopes_supported", i),
				"has offline_access, which is no scope of a resource",
				"remove it: clients ask for it by themselves")
		}
	}
}
