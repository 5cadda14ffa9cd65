package input

import (
	"fmt"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Config says what of a request policies may see.
type Config struct {
	Headers        []string          `yaml:"headers" default:"x-tenant,x-request-id,x-forwarded-for,user-agent,content-type,accept,origin" doc:"Request headers that policies see. Headers with credentials (authorization, cookie, dpop and similar ones) are never shown."`
	BodyBytes      int               `yaml:"body_bytes" default:"0" max:"1048576" doc:"Bytes of a request's body that policies see. 0 hides the body."`
	AmbiguousPaths httpuri.Ambiguous `yaml:"ambiguous_paths" default:"refuse" enum:"refuse|accept" doc:"Paths that two programs may read differently (%2F, //, dot segments, ;parameters, double encoding, a dot or blank at the end of a segment, characters compatible with a delimiter)."`
}

// secretHeaders are the request headers that hold credentials, which policies never see.
var secretHeaders = []string{
	"authorization", "proxy-authorization", "cookie", "set-cookie", "dpop", "x-api-key", "x-amz-security-token",
	"x-forwarded-access-token", "x-auth-request-access-token", "x-forwarded-client-cert", "client-cert",
}

// HoldsCredential reports whether a request header may hold a credential.
func HoldsCredential(name string) bool {
	return slices.Contains(secretHeaders, httpuri.Lower(name))
}

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	for _, name := range c.Headers {
		switch {
		case !httpuri.IsToken(name):
			fault("headers", fmt.Sprintf("%q is not a header name", name), "write names such as x-tenant")
		case HoldsCredential(name):
			fault("headers", name+" may hold a credential: policies never see it",
				"use the facts under input.token instead")
		}
	}
}
