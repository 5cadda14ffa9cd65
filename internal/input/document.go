// Package input builds the document a policy reads: version 1 of `input`.
//
// The Go types of the document are its one source of truth: the JSON Schema that types every policy (Schema), the form
// in the decision log (AppendJSON) and the form the engine evaluates are all derived from them.
package input

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/mcp"
)

// Version is the version of the document.
const Version = 1

// Document is the policy input. Its JSON form is a public contract. A member tagged omitzero is absent when
// its value is not known.
type Document struct {
	Version  int            `json:"version" doc:"Version of this document."`
	Request  Request        `json:"request,omitzero" doc:"The HTTP request that is asked about; absent when the question is about none."`
	Token    Token          `json:"token" doc:"What is known about the token of the request."`
	Subject  *Entity        `json:"subject,omitzero" doc:"AuthZEN subject, when asked that way."`
	Action   *Action        `json:"action,omitzero" doc:"AuthZEN action, when asked that way."`
	Resource *Entity        `json:"resource,omitzero" doc:"AuthZEN resource, when asked that way."`
	Context  jsontext.Value `json:"context,omitzero" schema:"object" doc:"What the caller passed."`
	MCP      *mcp.View      `json:"mcp,omitzero" doc:"The message of the Model Context Protocol, when the request is to an MCP endpoint (resources[].mcp) and has one meaning."`

	// Claims are where Token came from, or nil. The engine keeps its own form of the token beside them.
	Claims *authz.Claims `json:"-"`
}

// Request is the request as policies see it.
type Request struct {
	Method        string              `json:"method" doc:"Upper case."`
	Scheme        string              `json:"scheme,omitzero" doc:"http or https, when known."`
	Host          string              `json:"host,omitzero" doc:"Lower case, without port."`
	Port          int64               `json:"port,omitzero" doc:"As given, or the usual one of the scheme."`
	Path          string              `json:"path" doc:"Canonical: decoded once, without dot segments."`
	RawPath       string              `json:"raw_path" doc:"As received, without the query."`
	Segments      []string            `json:"segments" doc:"The canonical path, split and decoded."`
	Query         map[string][]string `json:"query" doc:"Decoded; access_token never passes."`
	Headers       map[string][]string `json:"headers" doc:"Allow-listed headers by lower-case name; credentials never pass."`
	SourceIP      string              `json:"source_ip,omitzero" doc:"Address of the client."`
	Body          *string             `json:"body,omitzero" doc:"Only when configured."`
	BodyTruncated bool                `json:"body_truncated,omitzero" doc:"The body was longer than what is shown."`

	// OtherTokens counts the access_token parameters that were kept out of Query, and those in a form in the body.
	OtherTokens int `json:"-"`
}

// Token is what is known about the token of the request.
type Token struct {
	Present              bool           `json:"present" doc:"The request carries a token."`
	Active               bool           `json:"active" doc:"The token may be used now."`
	Kind                 string         `json:"kind,omitzero" enum:"access|refresh|id|unknown" doc:"What the token is for, by evidence."`
	Scheme               string         `json:"scheme,omitzero" enum:"bearer|dpop" doc:"How the token was presented."`
	Source               string         `json:"source,omitzero" enum:"introspection|jwt|both" doc:"Where the facts come from."`
	Issuer               string         `json:"issuer,omitzero" doc:"Who issued the token."`
	ID                   string         `json:"id,omitzero" doc:"jti."`
	Subject              Subject        `json:"subject,omitzero" doc:"Whom the token speaks for."`
	ClientID             string         `json:"client_id,omitzero" doc:"The client the token was issued to."`
	Scopes               []string       `json:"scopes" doc:"Sorted, no duplicates."`
	Audiences            []string       `json:"audiences,omitzero" doc:"Sorted, no duplicates; absent when the issuer sent none."`
	Tenant               string         `json:"tenant,omitzero" doc:"Only by the issuer's configured rule."`
	Roles                []string       `json:"roles" doc:"Sorted, no duplicates."`
	Groups               []string       `json:"groups" doc:"Sorted, no duplicates."`
	Permissions          []string       `json:"permissions" doc:"Sorted, no duplicates."`
	Auth                 Auth           `json:"auth,omitzero" doc:"How the user logged in."`
	Actor                *Actor         `json:"actor,omitzero" doc:"Who acts for the subject: the outermost act only (RFC 8693)."`
	AuthorizationDetails jsontext.Value `json:"authorization_details,omitzero" schema:"objects" doc:"RFC 9396."`
	Binding              Binding        `json:"binding,omitzero" doc:"The key the token is bound to."`
	IssuedAt             int64          `json:"issued_at,omitzero" doc:"Seconds since the epoch."`
	NotBefore            int64          `json:"not_before,omitzero" doc:"Seconds since the epoch."`
	ExpiresAt            int64          `json:"expires_at,omitzero" doc:"Seconds since the epoch."`
	Age                  int64          `json:"age" doc:"Seconds since the facts were fetched."`
	Stale                bool           `json:"stale" doc:"The facts are past their soft lifetime."`
	Claims               jsontext.Value `json:"claims,omitzero" schema:"object" doc:"The issuer's answer as it came, minus nothing."`
}

// Subject is the user or client that a token was issued for.
type Subject struct {
	ID       string `json:"id,omitzero" doc:"Unique with issuer and type."`
	Type     string `json:"type,omitzero" enum:"user|client|unknown" doc:"Person or program."`
	Username string `json:"username,omitzero" doc:"For people to read; not a key."`
}

// Auth is how and when the user logged in.
type Auth struct {
	ACR   string   `json:"acr,omitzero" doc:"Authentication context class."`
	AMR   []string `json:"amr,omitzero" doc:"Authentication methods."`
	Time  int64    `json:"time,omitzero" doc:"Seconds since the epoch."`
	Level *int64   `json:"level,omitzero" doc:"Authentication level, where the issuer has one."`
}

// Actor acts for the subject.
type Actor struct {
	Subject  string `json:"subject,omitzero" doc:"Who acts."`
	ClientID string `json:"client_id,omitzero" doc:"The client that acts."`
}

// Binding is the key a token is bound to.
type Binding struct {
	Method   string `json:"method" enum:"none|dpop|mtls" doc:"How possession of the key is shown."`
	Verified bool   `json:"verified" doc:"Possession was shown with this request."`
}

// Entity is an AuthZEN subject or resource: AuthZEN 1.0 section 5.
type Entity struct {
	Type       string         `json:"type" doc:"Type of the entity."`
	ID         string         `json:"id" doc:"Identifier, unique within the type; empty for the entity that a search is for."`
	Properties jsontext.Value `json:"properties,omitzero" schema:"object" doc:"Anything more."`
}

// Action is an AuthZEN action.
type Action struct {
	Name       string         `json:"name" doc:"Name of the action."`
	Properties jsontext.Value `json:"properties,omitzero" schema:"object" doc:"Anything more."`
}

// HasRequest reports whether the question is about an HTTP request. Without one the document has no member "request".
func (d *Document) HasRequest() bool { return d.Request.Method != "" }
