package dialect

import "slices"

// Request is how a server is asked about a token.
type Request struct {
	Encoding Encoding
	// Parameter holds the token.
	Parameter string
	// Hint is a token_type_hint to send (RFC 7662 section 2.1), or empty.
	Hint string
	// Accept is the media type to ask for.
	Accept string
}

// Encoding is how the parameters of a question are sent.
type Encoding uint8

// The encodings.
const (
	// Unasked is a server that cannot be asked.
	Unasked Encoding = iota
	Form
	JSON
)

// Request says how to ask for an answer that n can read.
func (r *Reader) Request() Request { return r.dialect.ask }

// Inactive reports whether a reply with another status than 200 says that a token is not active. mediaType is without
// parameters and in lower case, code the OAuth error code of a refusal; either may be empty.
func (r *Reader) Inactive(status int, mediaType, code string) bool {
	return slices.ContainsFunc(r.dialect.inactive, func(r refusal) bool {
		return r.status == status && (r.mediaType == "" || r.mediaType == mediaType) &&
			(r.error == "" || r.error == code)
	})
}

// RefusedPrefixes are those of the configuration, and those that mark what is no access token of this kind of server.
func (r *Reader) RefusedPrefixes() []string { return slices.Clone(r.refusedPrefixes) }

// JWTTypes are the values of typ that access tokens of this server have; an empty one is a header without typ.
func (r *Reader) JWTTypes() []string { return slices.Clone(r.dialect.jwt.types) }

// OptionalClaims are claims of RFC 9068 section 2.2 that access tokens of this server lack. A missing aud is still for
// the audience rule to refuse.
func (r *Reader) OptionalClaims() []string { return slices.Clone(r.dialect.jwt.omits) }

// Encoding is that of c's dialect, whose name must be known.
func (c Config) Encoding() Encoding { return named(c.Dialect).ask.Encoding }

// NeedsAudience reports whether c would take tokens of clients of others: its dialect is that of a server that
// calls them active, and c names no audience.
func (c Config) NeedsAudience() bool {
	return named(c.Dialect).audience == audienceNeeded && len(c.Audience) == 0
}

// HasJWTs reports whether the access tokens of c's dialect can be JWTs.
func (c Config) HasJWTs() bool { return len(named(c.Dialect).jwt.types) > 0 }
