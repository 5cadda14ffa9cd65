// Package access says what a token must carry for a request to be allowed, and which routes ask for what: in words,
// and as data. It asks partial evaluation (package partial) for the condition, and checks each alternative of it
// against the policy as it is written, with a token made up for it.
package access

import (
	"github.com/go-json-experiment/json/jsontext"
)

// Report is what a request asks of a token. Its JSON form is stable: members are added, not changed.
type Report struct {
	Request Request `json:"request"`
	// NeedsToken is false when a request without a token may be allowed: see WithoutToken.
	NeedsToken bool `json:"needs_token"`
	// Alternatives are the ways in which a request with a usable token is allowed. Without one, no token is enough;
	// one without conditions is met by every usable token.
	Alternatives []Alternative `json:"alternatives"`
	// WithoutToken are the ways in which the policies allow a request without a token. They count where decision.token
	// is optional; NeedsToken says so.
	WithoutToken []Alternative `json:"without_token"`
	// Opaque are the rules that partial evaluation could not look into, and on which alternatives depend.
	Opaque []Place `json:"opaque"`
	// Sidecar is what every token is asked for before a policy runs.
	Sidecar []string `json:"sidecar"`
	// Refusal is what a token with every right gets where no token is enough.
	Refusal string `json:"refusal,omitzero"`
	// Incomplete says why the report is not the whole truth, such as a timeout; empty when it is.
	Incomplete string `json:"incomplete,omitzero"`
}

// Request is the request that is asked about.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	// Route is the id of the route of data.routes, where the policies use these.
	Route string `json:"route,omitzero"`
}

// Alternative is one way to be allowed: all of its conditions are met.
type Alternative struct {
	All []Condition `json:"all"`
	// Verified is set when a token that was made up for the conditions was allowed by the policies as they are
	// written.
	Verified bool `json:"verified"`
}

// Condition is one thing that is asked for.
type Condition struct {
	// Member is a path such as input.token.scopes; empty for the ops any, rego and opaque.
	Member string `json:"member,omitzero"`
	// Op is one of those of package partial.
	Op string `json:"op"`
	// Not is set when the op must not hold; it does not where the member is absent.
	Not bool `json:"not,omitzero"`
	// Value is what the member is compared with; Other is the member that stands for it.
	Value jsontext.Value `json:"value,omitzero"`
	Other string         `json:"other,omitzero"`
	// FromNow is Value in seconds from the time of the report, for members that are times.
	FromNow *int64 `json:"from_now,omitzero"`
	// Any are the alternatives of the op any.
	Any []Alternative `json:"any,omitzero"`
	// Rego is the expression of the ops rego and opaque.
	Rego string `json:"rego,omitzero"`
	// Rules are those of the op opaque.
	Rules []Place `json:"rules,omitzero"`
	// Text is the condition in words.
	Text string `json:"text"`
	// File and Row are where the policies ask for it.
	File string `json:"file,omitzero"`
	Row  int    `json:"row,omitzero"`

	// positive is Text without Not.
	positive string
}

// Place is a rule, and where it is.
type Place struct {
	Rule string `json:"rule"`
	File string `json:"file,omitzero"`
	Row  int    `json:"row,omitzero"`
}
