package authz

// UnusableReason is the closed set of reasons why a token must not be used: values of a metric's label.
type UnusableReason string

// The reasons.
const (
	// Inactive is what the authorization server calls inactive without a reason (RFC 7662 section 2.2).
	Inactive UnusableReason = "inactive"
	Expired  UnusableReason = "expired"
	// NotYetValid is a token whose nbf or iat is in the future.
	NotYetValid UnusableReason = "not_yet_valid"
	// Revoked is a token that an event or an operator ended.
	Revoked UnusableReason = "revoked"
	// WrongType is a token of another kind: a refresh token, an ID token, a logout token, a DPoP proof.
	WrongType UnusableReason = "wrong_type"
	// WrongIssuer is a token of an issuer that is not configured, or not for this request.
	WrongIssuer   UnusableReason = "wrong_issuer"
	WrongAudience UnusableReason = "wrong_audience"
	// WrongTenant is a token of a tenant for which its issuer may not speak.
	WrongTenant UnusableReason = "wrong_tenant"
	// BadSignature is a JWT that does not verify: by its algorithm, its key or its signature.
	BadSignature UnusableReason = "bad_signature"
	// BadClaims is a token that lacks a claim, or has one that cannot be read.
	BadClaims UnusableReason = "bad_claims"
	// Contradiction is a JWT and an answer about it that disagree.
	Contradiction UnusableReason = "contradiction"
	// Unreadable is a text that no token can be read from.
	Unreadable UnusableReason = "unreadable"
)

// UnusableReasons are all reasons.
func UnusableReasons() []UnusableReason {
	return []UnusableReason{
		Inactive, Expired, NotYetValid, Revoked, WrongType, WrongIssuer, WrongAudience, WrongTenant,
		BadSignature, BadClaims, Contradiction, Unreadable,
	}
}

// Unusable says why a token must not be used. The zero Unusable says that it may. It is for operators: a caller who
// knew it could try tokens out.
type Unusable struct {
	Reason UnusableReason
	// Text is a predicate of the token: "has expired".
	Text string
}

// NotUsable returns an Unusable.
func NotUsable(r UnusableReason, text string) Unusable { return Unusable{r, text} }

// OK reports whether the token may be used.
func (u Unusable) OK() bool { return u == Unusable{} }

// String returns the text.
func (u Unusable) String() string { return u.Text }
